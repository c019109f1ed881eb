package peer

import (
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// The functions here are the only place where generated types meet those of the node. "ToWire" never fails;
// "FromWire" trusts nothing: a nil message, a broken key or an unknown number is fault.Invalid.

func infoToWire(p catalog.Peer) *peerpb.PeerInfo {
	return &peerpb.PeerInfo{
		Id: uint64(p.ID), Name: p.Name, GrpcAddress: p.GRPCAddr, PeerAddress: p.PeerAddr,
		HttpAddress: p.HTTPAddr, Zone: p.Zone, Version: p.Version,
	}
}

func infoFromWire(w *peerpb.PeerInfo) (catalog.Peer, error) {
	p := catalog.Peer{
		ID: catalog.PeerID(w.GetId()), Name: w.GetName(), GRPCAddr: w.GetGrpcAddress(), PeerAddr: w.GetPeerAddress(),
		HTTPAddr: w.GetHttpAddress(), Zone: w.GetZone(), Version: w.GetVersion(),
	}
	if p.ID == 0 || p.ID > MaxPeerID {
		return catalog.Peer{}, fault.New(fault.Invalid, "peer id %d: want 1..%d", p.ID, MaxPeerID)
	}
	return p, nil
}

func refToWire(ref catalog.ShardRef) *peerpb.ShardRef {
	return &peerpb.ShardRef{Collection: uint64(ref.Collection), Shard: uint32(ref.Shard)}
}

func refFromWire(w *peerpb.ShardRef) (catalog.ShardRef, error) {
	if w == nil {
		return catalog.ShardRef{}, fault.New(fault.Invalid, "the request names no shard")
	}
	return catalog.ShardRef{Collection: catalog.CollectionID(w.GetCollection()), Shard: catalog.ShardID(w.GetShard())}, nil
}

func refsToWire(refs []catalog.ShardRef) []*peerpb.ShardRef {
	ws := make([]*peerpb.ShardRef, len(refs))
	for i, ref := range refs {
		ws[i] = refToWire(ref)
	}
	return ws
}

func idsToWire(ids []point.ID) [][]byte {
	keys := make([][]byte, len(ids))
	for i, id := range ids {
		keys[i] = id.AppendKey(nil)
	}
	return keys
}

func idsFromWire(keys [][]byte) ([]point.ID, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ids := make([]point.ID, len(keys))
	for i, key := range keys {
		id, err := idFromWire(key)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

func idFromWire(key []byte) (point.ID, error) {
	id, rest, err := point.CutKey(key)
	if err != nil {
		return point.ID{}, fault.Wrap(fault.Invalid, err, "point id")
	}
	if len(rest) > 0 {
		return point.ID{}, fault.New(fault.Invalid, "point id: %d bytes too many", len(rest))
	}
	return id, nil
}

func filterFromWire(b []byte) (*filter.Filter, error) {
	f, err := filter.Decode(b)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "filter")
	}
	return f, nil
}

func payloadSelectorToWire(s shard.PayloadSelector) *peerpb.PayloadSelector {
	return &peerpb.PayloadSelector{
		Enable: s.Enable, Include: s.Include, Exclude: s.Exclude, IncludeNone: s.Include != nil && len(s.Include) == 0,
	}
}

func payloadSelectorFromWire(w *peerpb.PayloadSelector) shard.PayloadSelector {
	s := shard.PayloadSelector{Enable: w.GetEnable(), Include: w.GetInclude(), Exclude: w.GetExclude()}
	if w.GetIncludeNone() && len(s.Include) == 0 {
		s.Include = []string{}
	}
	return s
}

func vectorSelectorToWire(s shard.VectorSelector) *peerpb.VectorSelector {
	return &peerpb.VectorSelector{Enable: s.Enable, All: s.Names == nil, Names: s.Names}
}

func vectorSelectorFromWire(w *peerpb.VectorSelector) shard.VectorSelector {
	s := shard.VectorSelector{Enable: w.GetEnable()}
	if w != nil && !w.GetAll() {
		s.Names = append([]string{}, w.GetNames()...)
	}
	return s
}

func searchToWire(ref catalog.ShardRef, minIndex uint64, reqs []shard.SearchRequest) *peerpb.SearchRequest {
	w := &peerpb.SearchRequest{Shard: refToWire(ref), MinIndex: minIndex, Queries: make([]*peerpb.Nearest, len(reqs))}
	if len(reqs) > 0 {
		w.Epoch, w.Fresh = reqs[0].Epoch, reqs[0].Fresh
	}
	for i, r := range reqs {
		w.Queries[i] = &peerpb.Nearest{
			Vector: r.Vector, Using: r.Using, Filter: filter.Encode(r.Filter), Limit: r.Limit,
			ScoreThreshold: r.ScoreThreshold, Exclude: idsToWire(r.Exclude),
			Payload: payloadSelectorToWire(r.Payload), Vectors: vectorSelectorToWire(r.Vectors),
			Exact: r.Exact, HnswEf: r.HNSWEf, IndexedOnly: r.IndexedOnly,
			IgnoreCodes: r.Quantization.Ignore, Rescore: r.Quantization.Rescore, Oversampling: r.Quantization.Oversampling,
			Order: orderToWire(r.Order), Sample: r.Sample, Sparse: sparseToWire(r.Sparse), Explore: exploreToWire(r.Explore), Share: r.Share,
		}
	}
	return w
}

func nearestFromWire(w *peerpb.Nearest) (shard.SearchRequest, error) {
	kinds := 0
	for _, is := range []bool{len(w.GetVector()) > 0, w.GetOrder() != nil, w != nil && w.Sample != nil, w.GetSparse() != nil, w.GetExplore() != nil} {
		if is {
			kinds++
		}
	}
	if w.GetLimit() == 0 || kinds != 1 {
		return shard.SearchRequest{}, fault.New(fault.Invalid, "a search needs a limit of at least 1 and one thing to look for, this one has %d", kinds)
	}
	order, err := orderFromWire(w.GetOrder())
	if err != nil {
		return shard.SearchRequest{}, err
	}
	f, err := filterFromWire(w.GetFilter())
	if err != nil {
		return shard.SearchRequest{}, err
	}
	exclude, err := idsFromWire(w.GetExclude())
	if err != nil {
		return shard.SearchRequest{}, err
	}
	sparse, err := sparseFromWire(w.GetSparse())
	if err != nil {
		return shard.SearchRequest{}, err
	}
	explore, err := exploreFromWire(w.GetExplore())
	if err != nil {
		return shard.SearchRequest{}, err
	}
	return shard.SearchRequest{
		Order: order, Sample: w.Sample, Sparse: sparse, Explore: explore, Vector: w.GetVector(), Using: w.GetUsing(), Filter: f, Limit: w.GetLimit(),
		ScoreThreshold: w.ScoreThreshold, Exclude: exclude,
		Payload: payloadSelectorFromWire(w.GetPayload()), Vectors: vectorSelectorFromWire(w.GetVectors()),
		Exact: w.GetExact(), HNSWEf: w.GetHnswEf(), IndexedOnly: w.GetIndexedOnly(), Share: w.GetShare(),
		Quantization: shard.QuantizationParams{Ignore: w.GetIgnoreCodes(), Rescore: w.Rescore, Oversampling: w.GetOversampling()},
	}, nil
}

func sparseToWire(s *point.Sparse) *peerpb.Sparse {
	if s == nil {
		return nil
	}
	return &peerpb.Sparse{Indices: s.Indices, Values: s.Values}
}

func sparseFromWire(w *peerpb.Sparse) (*point.Sparse, error) {
	if w == nil {
		return nil, nil
	}
	s := point.Sparse{Indices: w.GetIndices(), Values: w.GetValues()}
	return &s, s.Check()
}

func searchFromWire(w *peerpb.SearchRequest) (catalog.ShardRef, []shard.SearchRequest, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return ref, nil, err
	}
	reqs := make([]shard.SearchRequest, len(w.GetQueries()))
	for i, q := range w.GetQueries() {
		if reqs[i], err = nearestFromWire(q); err != nil {
			return ref, nil, fmt.Errorf("query %d: %w", i, err)
		}
		reqs[i].Look = lookFromWire(w)
	}
	return ref, reqs, nil
}

func hitsToWire(results [][]shard.Scored, applied uint64) *peerpb.SearchResponse {
	w := &peerpb.SearchResponse{Applied: applied, Results: make([]*peerpb.Hits, len(results))}
	for i, scored := range results {
		hits := make([]*peerpb.Hit, len(scored))
		for j, s := range scored {
			hits[j] = &peerpb.Hit{Record: point.EncodeRecord(s.Record), Score: s.Score, Rank: s.Rank}
		}
		w.Results[i] = &peerpb.Hits{Hits: hits}
	}
	return w
}

func hitsFromWire(w *peerpb.SearchResponse) ([][]shard.Scored, error) {
	results := make([][]shard.Scored, len(w.GetResults()))
	for i, hits := range w.GetResults() {
		results[i] = make([]shard.Scored, len(hits.GetHits()))
		for j, h := range hits.GetHits() {
			record, err := recordFromWire(h.GetRecord())
			if err != nil {
				return nil, err
			}
			results[i][j] = shard.Scored{Record: record, Score: h.GetScore(), Rank: h.GetRank()}
		}
	}
	return results, nil
}

func recordFromWire(b []byte) (point.Record, error) {
	r, err := point.DecodeRecord(b)
	if err != nil {
		return point.Record{}, fault.Wrap(fault.Internal, err, "record from peer")
	}
	return r, nil
}

func recordsToWire(records []point.Record, applied uint64) *peerpb.RecordsResponse {
	w := &peerpb.RecordsResponse{Applied: applied, Records: make([][]byte, len(records))}
	for i, r := range records {
		w.Records[i] = point.EncodeRecord(r)
	}
	return w
}

func recordsFromWire(w *peerpb.RecordsResponse) ([]point.Record, error) {
	records := make([]point.Record, len(w.GetRecords()))
	for i, b := range w.GetRecords() {
		var err error
		if records[i], err = recordFromWire(b); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func scrollToWire(ref catalog.ShardRef, minIndex uint64, r shard.ScrollRequest) *peerpb.ScrollRequest {
	w := &peerpb.ScrollRequest{
		Shard: refToWire(ref), MinIndex: minIndex, Filter: filter.Encode(r.Filter), Limit: r.Limit,
		Payload: payloadSelectorToWire(r.Payload), Vectors: vectorSelectorToWire(r.Vectors), Epoch: r.Epoch, Fresh: r.Fresh,
	}
	if r.From != nil {
		w.From = r.From.AppendKey(nil)
	}
	return w
}

func scrollFromWire(w *peerpb.ScrollRequest) (catalog.ShardRef, shard.ScrollRequest, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return ref, shard.ScrollRequest{}, err
	}
	if w.GetLimit() == 0 {
		return ref, shard.ScrollRequest{}, fault.New(fault.Invalid, "a scroll needs a limit of at least 1")
	}
	r := shard.ScrollRequest{
		Look: lookFromWire(w), Limit: w.GetLimit(), Payload: payloadSelectorFromWire(w.GetPayload()), Vectors: vectorSelectorFromWire(w.GetVectors()),
	}
	if r.Filter, err = filterFromWire(w.GetFilter()); err != nil {
		return ref, shard.ScrollRequest{}, err
	}
	if len(w.GetFrom()) > 0 {
		id, err := idFromWire(w.GetFrom())
		if err != nil {
			return ref, shard.ScrollRequest{}, err
		}
		r.From = &id
	}
	return ref, r, nil
}

// look is what every read says.
type look interface {
	GetEpoch() uint64
	GetFresh() bool
}

func lookFromWire(w look) shard.Look { return shard.Look{Epoch: w.GetEpoch(), Fresh: w.GetFresh()} }

func getToWire(ref catalog.ShardRef, minIndex uint64, r shard.GetRequest) *peerpb.GetRequest {
	return &peerpb.GetRequest{
		Shard: refToWire(ref), MinIndex: minIndex, Ids: idsToWire(r.IDs),
		Payload: payloadSelectorToWire(r.Payload), Vectors: vectorSelectorToWire(r.Vectors), Epoch: r.Epoch, Fresh: r.Fresh,
	}
}

func getFromWire(w *peerpb.GetRequest) (catalog.ShardRef, shard.GetRequest, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return ref, shard.GetRequest{}, err
	}
	ids, err := idsFromWire(w.GetIds())
	if err != nil {
		return ref, shard.GetRequest{}, err
	}
	return ref, shard.GetRequest{
		Look: lookFromWire(w), IDs: ids, Payload: payloadSelectorFromWire(w.GetPayload()), Vectors: vectorSelectorFromWire(w.GetVectors()),
	}, nil
}

func statusToWire(s replica.Status) *peerpb.ReplicaStatus {
	return &peerpb.ReplicaStatus{
		Shard: refToWire(s.Ref), Generation: uint64(s.Generation), Term: s.Term, Leading: s.Leading,
		LastIndex: s.LastIndex, CommitIndex: s.CommitIndex, AppliedIndex: s.AppliedIndex,
		Points: s.Points, Vectors: s.Vectors, Bytes: s.Bytes, Problem: s.Problem, Differs: s.Differs, Lag: s.Lag,
		PayloadBytes: s.PayloadBytes, IndexedVectors: s.Indexed, Indexing: s.Indexing, IndexProblem: s.IndexProblem,
		Transfer: transferToWire(s.Transfer), Fields: fieldsToWire(s.Fields), Moving: movingToWire(s.Moving), Schema: s.Schema,
	}
}

func fieldsToWire(fields map[string]payload.Status) []*peerpb.FieldStatus {
	ws := make([]*peerpb.FieldStatus, 0, len(fields))
	for path, f := range fields {
		ws = append(ws, &peerpb.FieldStatus{Path: path, Spec: f.Spec, Ready: f.Ready, Points: f.Points})
	}
	return ws
}

func fieldsFromWire(ws []*peerpb.FieldStatus) map[string]payload.Status {
	if len(ws) == 0 {
		return nil
	}
	fields := make(map[string]payload.Status, len(ws))
	for _, w := range ws {
		fields[w.GetPath()] = payload.Status{Spec: w.GetSpec(), Ready: w.GetReady(), Points: w.GetPoints()}
	}
	return fields
}

func statusFromWire(w *peerpb.ReplicaStatus) (replica.Status, error) {
	ref, err := refFromWire(w.GetShard())
	s := replica.Status{
		Ref: ref, Generation: catalog.Generation(w.GetGeneration()), Term: w.GetTerm(), Leading: w.GetLeading(),
		LastIndex: w.GetLastIndex(), CommitIndex: w.GetCommitIndex(), AppliedIndex: w.GetAppliedIndex(),
		Points: w.GetPoints(), Vectors: w.GetVectors(), Bytes: w.GetBytes(), Problem: w.GetProblem(), Differs: w.GetDiffers(), Lag: w.GetLag(),
		PayloadBytes: w.GetPayloadBytes(), Indexed: w.GetIndexedVectors(), Indexing: w.GetIndexing(), IndexProblem: w.GetIndexProblem(), Fields: fieldsFromWire(w.GetFields()), Schema: w.GetSchema(),
	}
	s.Transfer, s.Moving = transferFromWire(s, w.GetTransfer()), movingFromWire(w.GetMoving())
	return s, err
}

func movingToWire(m *replica.Moving) *peerpb.Moving {
	if m == nil {
		return nil
	}
	return &peerpb.Moving{Points: m.Points, TotalPoints: m.TotalPoints, Bytes: m.Bytes, Attempts: uint32(m.Attempts), Problem: m.Problem}
}

func movingFromWire(w *peerpb.Moving) *replica.Moving {
	if w == nil {
		return nil
	}
	return &replica.Moving{
		Points: w.GetPoints(), TotalPoints: w.GetTotalPoints(), Bytes: w.GetBytes(), Attempts: int(w.GetAttempts()), Problem: w.GetProblem(),
	}
}
