package server

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// identity is who a data directory is. It is made once: an empty directory is another peer, also under the same name.
type identity struct {
	PeerID    catalog.PeerID `json:"peer_id"`
	ClusterID string         `json:"cluster_id,omitempty"` // "" before it is a member
}

// What stands in a data directory, and the version of the identity's format.
const (
	identityFile    = "identity"
	storeDir        = "store"
	indexDir        = "index"
	identityVersion = 1
)

var identityKind = disk.Kind{'O', 'S', 'I', 'D'}

// loadIdentity reads the directory's identity, or makes one.
func loadIdentity(fs vfs.FS, dir string) (identity, error) {
	path := filepath.Join(dir, identityFile)
	_, body, err := disk.Load(disk.On(fs), path, identityKind, identityVersion)
	if fault.Is(err, fault.NotFound) {
		// The identity is written before anything else: data without one has lost it, and must not pass for another peer's.
		if _, err := fs.Stat(filepath.Join(dir, storeDir)); err == nil {
			return identity{}, fault.New(fault.Corrupt, "%s is missing although the directory holds data: restore it, or empty the directory to come back as a new peer", path)
		}
		id := identity{PeerID: catalog.PeerID(rand.Uint64N(uint64(peer.MaxPeerID)) + 1)}
		return id, id.save(fs, dir)
	}
	if err != nil {
		return identity{}, err
	}
	var id identity
	if err := json.Unmarshal(body, &id); err != nil || id.PeerID == 0 || id.PeerID > peer.MaxPeerID {
		return identity{}, fault.New(fault.Corrupt, "%s does not hold a node's identity", path)
	}
	return id, nil
}

func (id identity) save(fs vfs.FS, dir string) error {
	body, err := json.Marshal(id)
	if err != nil {
		return err
	}
	return disk.Save(disk.On(fs), filepath.Join(dir, identityFile), identityKind, identityVersion, body)
}
