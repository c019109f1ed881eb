package peer

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// Envelope is a replication message with the replica it is for.
type Envelope struct {
	Ref        catalog.ShardRef
	Generation catalog.Generation // of the receiving replica
	Message    replication.Message
}

func envelopeToWire(e Envelope) *peerpb.ShardMessage {
	m := e.Message
	w := &peerpb.ShardMessage{
		Shard: refToWire(e.Ref), Generation: uint64(e.Generation), Type: uint32(m.Type),
		From: uint64(m.From), To: uint64(m.To), Term: uint64(m.Term),
		PrevIndex: uint64(m.PrevIndex), PrevTerm: uint64(m.PrevTerm), Commit: uint64(m.Commit),
		Reject: m.Reject, Match: uint64(m.Match), Applied: uint64(m.Applied),
		LastTerm: uint64(m.LastTerm), LastIndex: uint64(m.LastIndex), FromGeneration: m.Generation,
		Round: uint64(m.Round),
	}
	if len(m.Entries) > 0 {
		w.Entries = make([]*peerpb.Entry, len(m.Entries))
	}
	for i, e := range m.Entries {
		w.Entries[i] = &peerpb.Entry{Term: uint64(e.Term), Index: uint64(e.Index), Kind: uint32(e.Kind), Data: e.Data}
	}
	return w
}

func envelopeFromWire(w *peerpb.ShardMessage) (Envelope, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return Envelope{}, err
	}
	if w.GetType() < uint32(replication.MsgAppend) || w.GetType() > uint32(replication.MsgConfirmReply) {
		return Envelope{}, fault.New(fault.Invalid, "replication message of unknown type %d", w.GetType())
	}
	m := replication.Message{
		Type: replication.MessageType(w.GetType()), From: replication.PeerID(w.GetFrom()), To: replication.PeerID(w.GetTo()),
		Term: replication.Term(w.GetTerm()), PrevIndex: replication.Index(w.GetPrevIndex()), PrevTerm: replication.Term(w.GetPrevTerm()),
		Commit: replication.Index(w.GetCommit()), Reject: w.GetReject(), Match: replication.Index(w.GetMatch()),
		Applied: replication.Index(w.GetApplied()), LastTerm: replication.Term(w.GetLastTerm()), LastIndex: replication.Index(w.GetLastIndex()),
		Generation: w.GetFromGeneration(), Round: replication.Round(w.GetRound()),
	}
	if m.Entries, err = entriesFromWire(w, m); err != nil {
		return Envelope{}, err
	}
	return Envelope{Ref: ref, Generation: catalog.Generation(w.GetGeneration()), Message: m}, nil
}

// entriesFromWire checks what every log relies on: entries follow PrevIndex without a gap, and terms never fall nor
// exceed the sender's.
func entriesFromWire(w *peerpb.ShardMessage, m replication.Message) ([]replication.Entry, error) {
	if len(w.GetEntries()) == 0 {
		return nil, nil
	}
	if m.Type != replication.MsgAppend {
		return nil, fault.New(fault.Invalid, "replication message of type %d carries entries", m.Type)
	}
	entries := make([]replication.Entry, len(w.GetEntries()))
	term := m.PrevTerm
	for i, e := range w.GetEntries() {
		next := replication.Entry{
			Term: replication.Term(e.GetTerm()), Index: replication.Index(e.GetIndex()),
			Kind: replication.EntryKind(e.GetKind()), Data: e.GetData(),
		}
		if next.Index != m.PrevIndex+replication.Index(i)+1 || next.Index == 0 || next.Term < term || next.Term > m.Term {
			return nil, fault.New(fault.Invalid, "log entry (%d, term %d) does not follow (%d, term %d) in term %d",
				next.Index, next.Term, m.PrevIndex+replication.Index(i), term, m.Term)
		}
		if e.GetKind() > uint32(replication.TermStart) {
			return nil, fault.New(fault.Invalid, "log entry of unknown kind %d", e.GetKind())
		}
		entries[i], term = next, next.Term
	}
	return entries, nil
}

// resultsToWire and resultsFromWire carry the outcome of metadata changes; their errors keep class and hints.
func resultsToWire(results []catalog.Result) []*peerpb.ProposeResult {
	ws := make([]*peerpb.ProposeResult, len(results))
	for i, r := range results {
		ws[i] = &peerpb.ProposeResult{
			Collection: uint64(r.Collection), ShardVersion: r.ShardVersion, Operation: uint64(r.Operation), Move: uint64(r.Move),
		}
		if r.Err != nil {
			ws[i].ErrorClass, ws[i].ErrorText = fault.ClassOf(r.Err).String(), r.Err.Error()
			ws[i].ErrorHints = hintsOf(r.Err)
		}
	}
	return ws
}

func resultsFromWire(ws []*peerpb.ProposeResult) []catalog.Result {
	results := make([]catalog.Result, len(ws))
	for i, w := range ws {
		results[i] = catalog.Result{
			Collection: catalog.CollectionID(w.GetCollection()), ShardVersion: w.GetShardVersion(),
			Operation: catalog.OperationID(w.GetOperation()), Move: catalog.MoveID(w.GetMove()),
		}
		if w.GetErrorClass() != "" {
			class, _ := fault.ParseClass(w.GetErrorClass())
			results[i].Err = &fault.Error{Class: class, Text: w.GetErrorText(), Hints: w.GetErrorHints()}
		}
	}
	return results
}
