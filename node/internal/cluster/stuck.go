package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// stuck tells why copies cannot leave a peer that is to be drained, "" if they can: which shard keys may be on it and on nobody else who
// could take them, and how many other shards no peer could take a copy of.
func stuck(s *catalog.State, id catalog.PeerID, alive func(catalog.PeerID) bool) string {
	var keys []string
	shards := 0
	for ref, sh := range s.Shards() {
		if _, held := sh.Replica(id); !held {
			continue
		}
		if _, leaves := replacing(sh, id); leaves {
			continue
		}
		col := s.Collections[ref.Collection]
		anywhere := func(catalog.PeerID) bool { return true }
		allowed := func(id catalog.PeerID) bool { return col.Allows(sh, id) }
		switch {
		case takes(s, sh, func(id catalog.PeerID) bool { return alive(id) && allowed(id) }):
		case !takes(s, sh, allowed) && takes(s, sh, anywhere): // its placement alone is in the way
			if key := fmt.Sprintf("%s of %s", sh.Key, col.Name); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		default:
			shards++
		}
	}
	var all []string
	if len(keys) > 0 {
		all = append(all, fmt.Sprintf("what shard key %s has there stays, for no other peer of the key's placement is in service and without a copy: "+
			"let it be on other peers (ostraka shard-key update, or placement in Terraform), bring those peers into service, or take the peer back (ostraka peer undrain)", listed(keys)))
	}
	if shards > 0 {
		all = append(all, fmt.Sprintf("no other peer that is in service and answers can take a copy of %s: add a peer, or lower replication_factor", count(shards, "shard")))
	}
	return strings.Join(all, "; ")
}

// takes reports whether a peer in service that a function says yes to could take one more copy of a shard.
func takes(s *catalog.State, sh *catalog.Shard, which func(catalog.PeerID) bool) bool {
	for id, peer := range s.Peers {
		if _, has := sh.Replica(id); !has && !peer.Gone() && peer.State == catalog.InService && which(id) {
			return true
		}
	}
	return false
}
