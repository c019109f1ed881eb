package shard

import "github.com/ostraka/terraform-provider-ostraka/node/internal/kv"

// SetPartBytes makes operations that change more than n bytes be stored in parts.
func (s *Shard) SetPartBytes(n int) { s.partBytes = n }

// SetCommit replaces how batches are stored.
func (s *Shard) SetCommit(commit func(b *kv.Batch) error) { s.commit = commit }
