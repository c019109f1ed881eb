package server

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mover"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// statuses are the replicas on this node, which also tell how far the slots have come that move to them.
type statuses struct {
	*replica.Manager
	mover *mover.Mover
}

// Status implements peer.Replicas and coordinator.LocalStatus.
func (s statuses) Status(refs []catalog.ShardRef) []replica.Status {
	all := s.Manager.Status(refs)
	moving := s.mover.Progress()
	for i := range all {
		if m, ok := moving[all[i].Ref]; ok && all[i].Leading {
			all[i].Moving = &m
		}
	}
	return all
}
