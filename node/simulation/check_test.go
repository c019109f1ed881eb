package simulation_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// Bounds in virtual time, from when the network heals and every node runs.
const (
	wholeWithin = 60 * time.Second
	restWithin  = 30 * time.Second
)

// eventually tries until f succeeds, and is a violation if that takes too long. It returns how long it took.
func (c *cluster) eventually(within time.Duration, what string, f func(ctx context.Context) error) (time.Duration, bool) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	last := ""
	for {
		err := f(ctx)
		if err == nil {
			return time.Since(begun), true
		}
		if err.Error() != last && ctx.Err() == nil {
			last = err.Error()
			c.timeline.note("not yet: %s", last)
		}
		if pass(ctx, 50*time.Millisecond) != nil {
			c.violate("%s: not within %s: %s", what, within, last)
			return within, false
		}
	}
}

// sameMetadata returns the metadata if all nodes show the same.
func (c *cluster) sameMetadata() (*catalog.State, error) {
	first, index := c.machines[0].server.Metadata()
	want := catalog.EncodeState(first)
	for _, m := range c.machines[1:] {
		state, i := m.server.Metadata()
		if i != index {
			return nil, fmt.Errorf("%s shows the metadata at %d, %s at %d", m.name, i, c.machines[0].name, index)
		}
		if !bytes.Equal(catalog.EncodeState(state), want) {
			return nil, fmt.Errorf("%s and %s show different metadata at %d", m.name, c.machines[0].name, i)
		}
	}
	return first, nil
}

// whole returns nil once every shard has the replicas that were declared, all of them count, one of them leads, and
// all have applied all of one log.
func (c *cluster) whole() error {
	state, err := c.sameMetadata()
	if err != nil {
		return err
	}
	for _, col := range state.Collections {
		for _, g := range col.Groups() {
			if plan := g.Plan(); !plan.Rest() || len(g.Shards) != int(g.Number) {
				return fmt.Errorf("%s has %d shards%s, %d are declared, %d slots are yet to move, of the moves there are %d", col.Name, len(g.Shards), g.Of(), g.Number, plan.Left, len(g.Moves))
			}
		}
		for _, sh := range col.Shards {
			if err := c.settled(state, col, sh); err != nil {
				return fmt.Errorf("%s shard %d: %w", col.Name, sh.ID, err)
			}
			if err := c.alike(col, sh); err != nil {
				return fmt.Errorf("%s shard %d: %w", col.Name, sh.ID, err)
			}
		}
	}
	return nil
}

// holders returns the machines of a shard's replicas.
func (c *cluster) holders(sh *catalog.Shard) []*machine {
	var ms []*machine
	for _, m := range c.machines {
		if _, ok := sh.Replica(m.server.Self()); ok {
			ms = append(ms, m)
		}
	}
	return ms
}

func (c *cluster) alike(col *catalog.Collection, sh *catalog.Shard) error {
	ref := catalog.ShardRef{Collection: col.ID, Shard: sh.ID}
	leaders := 0
	var first *replica.Status
	for _, m := range c.holders(sh) {
		all := m.server.Replicas().Status([]catalog.ShardRef{ref})
		if len(all) != 1 || all[0].Problem != "" {
			return fmt.Errorf("%s has %+v", m.name, all)
		}
		st := all[0]
		if st.Leading {
			leaders++
		}
		if first == nil {
			first = &st
		}
		if st.Term != sh.Term || st.AppliedIndex != st.LastIndex || st.LastIndex != first.LastIndex {
			return fmt.Errorf("%s is in term %d at %d of %d, want term %d and %d: %s", m.name, st.Term, st.AppliedIndex, st.LastIndex, sh.Term, first.LastIndex, sh)
		}
	}
	if leaders != 1 {
		return fmt.Errorf("%d leaders", leaders)
	}
	return nil
}

// writable writes one point to every target through every node.
func (w *workload) writable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	k := w.clients[0]
	for _, g := range w.targets {
		for i, m := range w.c.machines {
			if !g.stays() {
				continue
			}
			if err := k.upsert(ctx, qdrant.NewPointsClient(k.conns[i]), g, m); err != nil {
				return fmt.Errorf("write to %s through %s: %w", g, m.name, err)
			}
		}
	}
	return nil
}

// atRest returns nil if the cluster is whole, and nothing moves for a while.
func (c *cluster) atRest(ctx context.Context) error {
	before, err := c.positions()
	if err != nil {
		return err
	}
	if err := pass(ctx, time.Second); err != nil {
		return err
	}
	after, err := c.positions()
	if err != nil {
		return err
	}
	if d := differences(before, after); len(d) > 0 {
		return fmt.Errorf("replicas still move: %s", d)
	}
	return nil
}

// positions returns the last index of every shard of a whole cluster.
func (c *cluster) positions() (map[catalog.ShardRef]uint64, error) {
	synctest.Wait()
	if err := c.whole(); err != nil {
		return nil, err
	}
	at := map[catalog.ShardRef]uint64{}
	for _, m := range c.machines {
		for _, st := range m.server.Replicas().Status(nil) {
			at[st.Ref] = st.LastIndex
		}
	}
	return at, nil
}

// verify demands, of a healed cluster, everything that was promised.
func (w *workload) verify() time.Duration {
	c := w.c
	took, ok := c.eventually(wholeWithin, "the cluster is whole and writable", func(ctx context.Context) error {
		if err := c.whole(); err != nil {
			return err
		}
		return w.writable(ctx)
	})
	if !ok {
		return took
	}
	if _, ok := c.eventually(restWithin, "the replicas come to rest", c.atRest); !ok {
		return took
	}
	state, err := c.sameMetadata()
	if err != nil {
		c.violate("%v", err)
		return took
	}
	w.verifyDDL(state)
	for _, g := range w.targets {
		col, ok := state.Lookup(g.name)
		if !ok {
			c.violate("collection %s is gone", g.name)
			continue
		}
		if g.key != nil {
			w.verifyKeyed(g, col)
			continue
		}
		w.verifyPoints(g, col)
	}
	return took
}

func (w *workload) verifyDDL(state *catalog.State) {
	got := map[string]int64{}
	for name := range state.Names {
		got[name] = 1
	}
	for _, g := range w.targets {
		delete(got, g.name)
	}
	for _, wrong := range w.ddl.check(got, false) {
		w.c.violate("metadata: collection %s", wrong)
	}
}

// verifyPoints compares the replicas with one another, what they hold with what clients know, and what every node
// answers with what the replicas hold.
func (w *workload) verifyPoints(g *target, col *catalog.Collection) {
	held := map[uint64]int64{}
	for _, sh := range col.Shards {
		ref := catalog.ShardRef{Collection: col.ID, Shard: sh.ID}
		var first map[point.ID]string
		for _, m := range w.c.holders(sh) {
			records, err := m.copyOf(ref)
			if err != nil {
				w.c.violate("%s: %v", m.name, err)
				return
			}
			if first == nil {
				first = records
				collect(held, records)
				continue
			}
			if d := differences(described(first), described(records)); len(d) > 0 {
				w.c.violate("%s shard %d: the copies on %s and %s differ: %s", g, sh.ID, w.c.holders(sh)[0].name, m.name, strings.Join(d, "; "))
				for _, other := range []*machine{w.c.holders(sh)[0], m} {
					rep, _ := sh.Replica(other.server.Self())
					w.c.suspects = append(w.c.suspects, suspect{other, rep.Generation})
				}
			}
		}
	}
	for _, wrong := range g.points.check(held, g.lossy()) {
		w.c.violate("%s: point %s", g, wrong)
	}
	for i, m := range w.c.machines {
		shown, err := w.scroll(i, g)
		if err != nil {
			w.c.violate("read %s through %s: %v", g, m.name, err)
			continue
		}
		if d := differences(held, shown); len(d) > 0 {
			w.c.violate("%s does not show of %s what its replicas hold: %s", m.name, g, strings.Join(d, "; "))
		}
	}
}

// copyOf returns the points of a node's own replica, encoded.
func (m *machine) copyOf(ref catalog.ShardRef) (map[point.ID]string, error) {
	records, _, err := m.server.Replicas().Scroll(context.Background(), ref, 0, shard.ScrollRequest{
		Limit: 1 << 30, Payload: shard.PayloadSelector{Enable: true}, Vectors: shard.VectorSelector{Enable: true},
	})
	if err != nil {
		return nil, err
	}
	all := make(map[point.ID]string, len(records))
	for _, r := range records {
		all[r.ID] = string(point.EncodeRecord(r))
	}
	return all, nil
}

// described words points so that differences tell what is to be known of them.
func described(records map[point.ID]string) map[string]string {
	all := map[string]string{}
	for _, encoded := range records {
		r := decode(encoded)
		all[fmt.Sprintf("%s of index %d", r.ID, r.Version)] = fmt.Sprint(r.Payload, r.Vectors)
	}
	return all
}

func decode(encoded string) point.Record {
	r, err := point.DecodeRecord([]byte(encoded))
	if err != nil {
		panic(err) // it was encoded a moment ago
	}
	return r
}

// collect adds what copies hold, as clients see it.
func collect(into map[uint64]int64, records map[point.ID]string) {
	for _, encoded := range records {
		r := decode(encoded)
		v, _ := r.Payload["v"].(int64)
		into[r.ID.Number()] = v
	}
}

func differences[K, V comparable](a, b map[K]V) []string {
	var all []string
	for key, va := range a {
		if vb, ok := b[key]; !ok {
			all = append(all, fmt.Sprintf("%v is only in the first", key))
		} else if va != vb {
			all = append(all, fmt.Sprintf("%v is %v and %v", key, va, vb))
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			all = append(all, fmt.Sprintf("%v is only in the second", key))
		}
	}
	slices.Sort(all)
	return all
}

// scroll reads a whole target through node i.
func (w *workload) scroll(i int, g *target) (map[uint64]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	points := qdrant.NewPointsClient(w.clients[0].conns[i])
	all := map[uint64]int64{}
	var offset *qdrant.PointId
	for {
		resp, err := points.Scroll(ctx, &qdrant.ScrollPoints{
			CollectionName: g.name, Limit: qdrant.PtrOf(uint32(1000)), Offset: offset, WithPayload: qdrant.NewWithPayload(true),
			ShardKeySelector: g.selector(),
		})
		if err != nil {
			return nil, err
		}
		for _, p := range resp.GetResult() {
			all[p.GetId().GetNum()] = p.GetPayload()["v"].GetIntegerValue()
		}
		if offset = resp.GetNextPageOffset(); offset == nil {
			return all, nil
		}
	}
}
