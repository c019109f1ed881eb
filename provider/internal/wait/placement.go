package wait

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// How often the placement is looked at while waiting for it.
const (
	pollFirst = 5 * time.Millisecond
	pollMax   = 2 * time.Second
)

// Outcome is how waiting for a placement ended well: as declared, or as near to it as the peers allow.
type Outcome struct {
	// Short says why the placement cannot become as declared for now, "" when it is.
	Short string
}

// Placement waits until the shards are as declared: all of them there, every replica active, none left over, the write quorum in force. It
// stops early when fewer peers are alive than replicas are declared and every one of them has its copy: more will come
// when peers join. A plain Qdrant has no placement: ErrNotOstraka.
func Placement(ctx context.Context, c *client.Client, name string) (Outcome, error) {
	last := "the placement was not seen"
	for wait := pollFirst; ; wait = min(wait*3/2, pollMax) {
		out, progress, err := look(ctx, c, name)
		if progress != "" {
			last = progress
		}
		switch {
		case errors.Is(err, client.ErrNotOstraka):
			return Outcome{}, err
		case err != nil && !client.IsTransient(err):
			return Outcome{}, err
		case err == nil && progress == "":
			return out, nil
		case progress == "" && ctx.Err() == nil: // an error of the end of time says nothing of the placement
			last = err.Error()
		}
		tflog.Info(ctx, "waiting for the placement", map[string]any{"collection": name, "progress": last})
		select {
		case <-ctx.Done():
			return Outcome{}, fmt.Errorf("%w; %s", ctx.Err(), last)
		case <-time.After(wait):
		}
	}
}

// look returns what is missing, in one line, or an outcome when there is nothing to wait for. What is missing may come
// with an error, if only the rest could not be found out.
func look(ctx context.Context, c *client.Client, name string) (Outcome, string, error) {
	placements, err := c.Placement(ctx, name)
	if err != nil {
		return Outcome{}, "", err
	}
	for _, p := range placements {
		if p.Collection != name {
			continue
		}
		progress := unsettled(p, math.MaxInt)
		if progress == "" {
			return Outcome{}, "", nil
		}
		cluster, err := c.Cluster(ctx)
		if err != nil {
			return Outcome{}, progress, err
		}
		declared := int(p.ReplicationFactor)
		for _, s := range p.Shards {
			declared = max(declared, declaredReplicas(p, s))
		}
		if alive := Living(cluster); alive < declared && unsettled(p, alive) == "" {
			return Outcome{Short: shortage(declared, p, alive)}, "", nil
		}
		return Outcome{}, progress, nil
	}
	return Outcome{}, "the cluster does not show the placement yet", nil
}

// unsettled says what is missing until the collection is cut as declared and every shard has its active replicas, as many
// as the living peers allow, and nothing else; "" when nothing is.
func unsettled(p client.CollectionPlacement, alive int) string {
	var problems []string
	done := 0
	for _, s := range p.Shards {
		declared := declaredReplicas(p, s)
		full := int(s.ActiveReplicas) >= min(declared, alive)
		exact := len(s.Replicas) <= declared
		quorum := s.WriteQuorum == p.WriteConsistencyFactor || s.Key != nil || s.Pinned
		if full && exact && quorum && (s.Problem == "" || alive < declared) {
			done++
			continue
		}
		problems = append(problems, shardProblem(s))
	}
	if t := p.TargetShardNumber; t != 0 && t != p.ShardNumber && len(p.ShardKeys) == 0 {
		problems = append(problems, fmt.Sprintf("%d shards of %d declared", p.ShardNumber, t))
	}
	if len(problems) == 0 && len(p.Shards) > 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d shards are as declared; %s", done, max(int(p.ShardNumber), len(p.Shards)), strings.Join(problems, "; "))
}

// Missing says which shards have fewer copies alive than declared, or lack a primary; "" when none.
func Missing(p client.CollectionPlacement) string {
	var problems []string
	for _, s := range p.Shards {
		if int(s.ActiveReplicas) < declaredReplicas(p, s) || !s.Writable {
			problems = append(problems, shardProblem(s))
		}
	}
	const shown = 5
	if n := len(problems); n > shown {
		problems = append(problems[:shown], fmt.Sprintf("and %d more", n-shown))
	}
	return strings.Join(problems, "; ")
}

func declaredReplicas(p client.CollectionPlacement, s client.ShardPlacement) int {
	if s.DeclaredReplicas > 0 {
		return int(s.DeclaredReplicas)
	}
	return int(p.ReplicationFactor)
}

// Reached is what a placement has come to: how many shards there are, and how many replicas each has at least, or, while some
// are left over, at most.
func Reached(p client.CollectionPlacement) (shards, replicas uint32) {
	fewest, most := p.ReplicationFactor, uint32(0)
	for _, s := range p.Shards {
		if s.Key != nil || s.Pinned {
			continue // has a number of its own
		}
		fewest, most = min(fewest, s.ActiveReplicas), max(most, uint32(len(s.Replicas)))
	}
	if fewest == p.ReplicationFactor {
		fewest = max(fewest, most)
	}
	return p.ShardNumber, fewest
}

func shardProblem(s client.ShardPlacement) string {
	text := s.Problem
	if text == "" {
		text = fmt.Sprintf("%d replicas of %d declared, %d active, write quorum %d", len(s.Replicas), s.DeclaredReplicas,
			s.ActiveReplicas, s.WriteQuorum)
	}
	return fmt.Sprintf("shard %d: %s", s.ID, text)
}

// Alive says how many peers are alive.
func Alive(peers int) string {
	return Count(peers, "peer is alive", "peers are alive")
}

// Count says how many of something there are.
func Count[N int | uint32](n N, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func shortage(declared int, p client.CollectionPlacement, alive int) string {
	text := fmt.Sprintf("replication_factor is %d, but %s. Every shard has a replica on each that there is; the "+
		"cluster makes the missing replicas by itself when peers join.", declared, Alive(alive))
	if len(p.Warnings) > 0 {
		text += "\n\nThe cluster says:\n- " + strings.Join(p.Warnings, "\n- ")
	}
	return text
}

// Living counts the peers that can hold replicas.
func Living(cluster *client.Cluster) int {
	n := 0
	for _, p := range cluster.Peers {
		if p.Alive && !p.Replaced {
			n++
		}
	}
	return n
}
