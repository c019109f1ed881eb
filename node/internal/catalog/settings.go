package catalog

import "time"

// Bounds of Settings.
const (
	MaxReplaceAfter           = 10 * 365 * 24 * time.Hour
	MaxTransfers              = 1024
	MinTransferBytesPerSecond = 64 << 10
	MaxTransferBytesPerSecond = 1 << 40
)

// Settings says how the cluster keeps what is declared. A nil field has its default, which the methods fill in.
type Settings struct {
	ReplicaReplaceAfterSeconds *uint64 `json:"replica_replace_after_seconds,omitempty"`
	Paused                     *bool   `json:"paused,omitempty"`
	TransfersPerPeer           *uint32 `json:"transfers_per_peer,omitempty"`
	TransfersPerCluster        *uint32 `json:"transfers_per_cluster,omitempty"`
	TransferBytesPerSecond     *uint64 `json:"transfer_bytes_per_second,omitempty"`
	Balance                    *bool   `json:"balance,omitempty"`
}

// ReplaceAfter is how long a peer may be away before its replicas are made anew elsewhere; 0: for ever.
func (s Settings) ReplaceAfter() time.Duration {
	return time.Duration(or(s.ReplicaReplaceAfterSeconds, 600)) * time.Second
}

// IsPaused tells whether nothing but failover is to be done.
func (s Settings) IsPaused() bool { return or(s.Paused, false) }

// PerPeer is how many transfers one peer takes part in at once, in each direction.
func (s Settings) PerPeer() int { return int(or(s.TransfersPerPeer, 2)) }

// PerCluster is how many transfers there are at once.
func (s Settings) PerCluster() int { return int(or(s.TransfersPerCluster, 16)) }

// BytesPerSecond bounds the transfers of a peer, in each direction.
func (s Settings) BytesPerSecond() uint64 { return or(s.TransferBytesPerSecond, 200<<20) }

// Balances tells whether replicas and primaries are moved to even out what the peers hold.
func (s Settings) Balances() bool { return or(s.Balance, true) }

// Effective returns the settings with every default filled in.
func (s Settings) Effective() Settings {
	after, paused, perPeer, perCluster := uint64(s.ReplaceAfter()/time.Second), s.IsPaused(), uint32(s.PerPeer()), uint32(s.PerCluster())
	bytes, balance := s.BytesPerSecond(), s.Balances()
	return Settings{
		ReplicaReplaceAfterSeconds: &after, Paused: &paused, TransfersPerPeer: &perPeer, TransfersPerCluster: &perCluster,
		TransferBytesPerSecond: &bytes, Balance: &balance,
	}
}

func or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

func (s Settings) check() error {
	if n := or(s.ReplicaReplaceAfterSeconds, 0); n > uint64(MaxReplaceAfter/time.Second) {
		return outside("replica_replace_after_seconds", n, 0, int(MaxReplaceAfter/time.Second))
	}
	if n := or(s.TransfersPerPeer, 1); n < 1 || n > MaxTransfers {
		return outside("transfers_per_peer", n, 1, MaxTransfers)
	}
	if n := or(s.TransfersPerCluster, 1); n < 1 || n > MaxTransfers {
		return outside("transfers_per_cluster", n, 1, MaxTransfers)
	}
	if n := or(s.TransferBytesPerSecond, MinTransferBytesPerSecond); n < MinTransferBytesPerSecond || n > MaxTransferBytesPerSecond {
		return outside("transfer_bytes_per_second", n, MinTransferBytesPerSecond, MaxTransferBytesPerSecond)
	}
	return nil
}

// with returns the settings with what is set in change.
func (s Settings) with(change Settings) Settings {
	replace(&s.ReplicaReplaceAfterSeconds, change.ReplicaReplaceAfterSeconds)
	replace(&s.Paused, change.Paused)
	replace(&s.TransfersPerPeer, change.TransfersPerPeer)
	replace(&s.TransfersPerCluster, change.TransfersPerCluster)
	replace(&s.TransferBytesPerSecond, change.TransferBytesPerSecond)
	replace(&s.Balance, change.Balance)
	return s
}

func replace[T any](field **T, by *T) {
	if by != nil {
		v := *by
		*field = &v
	}
}

func (e *edit) updateSettings(change Settings) error {
	if err := change.check(); err != nil {
		return err
	}
	e.next.Settings = e.next.Settings.with(change)
	return nil
}
