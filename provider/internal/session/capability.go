package session

import (
	"context"
	"errors"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// nowhere cannot be the name of a collection: a request about it changes nothing, and tells whether the server knows the
// request at all.
const nowhere = "?"

// Capabilities is what the servers can do beyond what all of them can.
type Capabilities struct {
	Ostraka bool // there is a cluster service: peers, placement
	Reshard bool // shard_number changes in place
	// ReshardKeys says that the number of a shard key's shards changes in place.
	ReshardKeys bool
	UpdateKeys  bool // replicas and placement of a shard key change in place
	Vectors     bool // vectors are added and removed in place
}

// Capabilities asks, once, what the servers can do. An error says that they could not be asked.
func (d *Data) Capabilities(ctx context.Context) (Capabilities, error) {
	d.can.Lock()
	defer d.can.Unlock()
	if d.can.known {
		return d.can.Capabilities, nil
	}
	var c Capabilities
	_, err := d.Client.Reshard(ctx, nowhere, 1, nil)
	c.Ostraka, c.Reshard = !errors.Is(err, client.ErrNotOstraka), !client.IsUnsupported(err)
	if unasked(err) {
		return Capabilities{}, err
	}
	_, err = d.Client.Reshard(ctx, nowhere, 1, &client.ShardKey{Keyword: "k"})
	if unasked(err) {
		return Capabilities{}, err
	}
	c.ReshardKeys = !client.IsUnsupported(err)
	_, err = d.Client.UpdateShardKey(ctx, nowhere, client.ShardKey{Keyword: "k"}, client.ShardKeyUpdate{})
	if unasked(err) {
		return Capabilities{}, err
	}
	c.UpdateKeys = !client.IsUnsupported(err)
	err = d.Client.CreateVector(ctx, nowhere, "v", client.VectorParams{Size: 1, Distance: client.Dot})
	if unasked(err) {
		return Capabilities{}, err
	}
	c.Vectors = !client.IsUnsupported(err)
	d.can.Capabilities, d.can.known = c, true
	return c, nil
}

// unasked reports whether an error says nothing of what the server can do.
func unasked(err error) bool {
	return client.IsTransient(err) || client.ClassOf(err) == client.ClassCanceled
}
