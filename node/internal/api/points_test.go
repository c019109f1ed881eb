package api_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func upsert(points ...*qdrant.PointStruct) *qdrant.UpsertPoints {
	return &qdrant.UpsertPoints{CollectionName: "c", Points: points}
}

func aPoint(id uint64, payload map[string]any, vector ...float32) *qdrant.PointStruct {
	return &qdrant.PointStruct{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectorsDense(vector), Payload: qdrant.NewValueMap(payload)}
}

func (l *local) payloadOf(id uint64) map[string]*qdrant.Value {
	l.t.Helper()
	got := l.must("Points.Get", &qdrant.GetPoints{
		CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewIDNum(id)}, WithPayload: qdrant.NewWithPayload(true),
	}).(*qdrant.GetResponse)
	if len(got.GetResult()) != 1 {
		l.t.Fatalf("point %d: %v", id, got)
	}
	return got.GetResult()[0].GetPayload()
}

func TestBadWritesAreRefusedBeforeAnythingHappens(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	good := aPoint(1, nil, 1, 2)
	named := func(name string, v ...float32) *qdrant.PointStruct {
		return &qdrant.PointStruct{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{name: qdrant.NewVectorDense(v)})}
	}
	vector := func(v *qdrant.Vector) *qdrant.PointStruct {
		return &qdrant.PointStruct{Id: qdrant.NewIDNum(1), Vectors: &qdrant.Vectors{VectorsOptions: &qdrant.Vectors_Vector{Vector: v}}}
	}
	other := func(name string, v *qdrant.Vector) *qdrant.PointStruct {
		return &qdrant.PointStruct{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{name: v})}
	}
	none, empty := &qdrant.PointsSelector{}, qdrant.NewPointsSelectorIDs(nil)
	cases := []struct {
		method  string
		request proto.Message
		text    string
	}{
		{"Points.Upsert", upsert(), "no points are given"},
		{"Points.Upsert", upsert(good, aPoint(2, nil, 1, 2, 3)), "Vector dimension error: expected dim: 2, got 3"},
		{"Points.Upsert", upsert(good, aPoint(2, nil)), "expected dim: 2, got 0"},
		{"Points.Upsert", upsert(good, aPoint(2, nil, 1, nan)), "component 1 is NaN"},
		{"Points.Upsert", upsert(good, aPoint(2, nil, -inf, 1)), "component 0 is -Inf"},
		{"Points.Upsert", upsert(good, named("nowhere", 1, 2)), "Not existing vector name error: nowhere"},
		{"Points.Upsert", upsert(good, &qdrant.PointStruct{Id: qdrant.NewIDNum(2)}), "Expected some vectors"},
		{"Points.Upsert", upsert(good, &qdrant.PointStruct{Vectors: qdrant.NewVectors(1, 2)}), "neither a number nor a UUID"},
		{"Points.Upsert", upsert(good, &qdrant.PointStruct{Id: qdrant.NewID("5c56c793-69f3"), Vectors: qdrant.NewVectors(1, 2)}), "Wrong input: Unable to parse UUID: "},
		{"Points.Upsert", upsert(good, vector(&qdrant.Vector{Data: []float32{1, 2}, Vector: &qdrant.Vector_Dense{Dense: &qdrant.DenseVector{Data: []float32{1, 2}}}})), "both data and a typed vector"},
		{"Points.Upsert", upsert(good, other("s", qdrant.NewVectorSparse([]uint32{1, 2, 1}, []float32{1, 2, 3}))), "has the index 1 twice"},
		{"Points.Upsert", upsert(good, other("s", qdrant.NewVectorSparse([]uint32{1, 2}, []float32{1}))), "2 indices and 1 values"},
		{"Points.Upsert", upsert(good, other("s", qdrant.NewVectorSparse([]uint32{7}, []float32{nan}))), "component 7 of a sparse vector is NaN"},
		{"Points.Upsert", upsert(good, other("s", qdrant.NewVectorSparse(make([]uint32, point.MaxSparse+1), make([]float32, point.MaxSparse+1)))), "at most 65536"},
		{"Points.Upsert", upsert(good, other("s", qdrant.NewVectorDense([]float32{1, 2}))), "Conversion between sparse and regular vectors failed"},
		{"Points.Upsert", upsert(good, other("s", qdrant.NewVectorMulti([][]float32{{1, 2}}))), "Conversion between sparse and regular vectors failed"},
		{"Points.Upsert", upsert(good, other("v", qdrant.NewVectorSparse([]uint32{1}, []float32{1}))), "Conversion between sparse and regular vectors failed"},
		{"Points.Upsert", upsert(good, other("v", qdrant.NewVectorMulti([][]float32{{1, 2}}))), "Conversion between multi and regular vectors failed"},
		{"Points.Upsert", upsert(good, other("x", qdrant.NewVectorMulti([][]float32{{1, 2}}))), "Not existing vector name error: x"},
		{"Points.Upsert", upsert(good, other("m", qdrant.NewVectorMulti(nil))), "a multivector has no vectors"},
		{"Points.Upsert", upsert(good, other("m", qdrant.NewVectorMulti([][]float32{{}}))), "expected dim: 2, got 0"},
		{"Points.Upsert", upsert(good, other("m", qdrant.NewVectorMulti([][]float32{{1, 2}, {1}}))), "one of its vectors has 2 components, another 1"},
		{"Points.Upsert", upsert(good, other("m", qdrant.NewVectorMulti([][]float32{{1, 2, 3}, {1, 2, 3}}))), "expected dim: 2, got 3"},
		{"Points.Upsert", upsert(good, other("m", qdrant.NewVectorMulti([][]float32{{1, 2}, {inf, 3}}))), "component 0 is +Inf"},
		{"Points.Upsert", upsert(good, other("m", qdrant.NewVectorMulti(make([][]float32, catalog.MaxMulti+1)))), "expected dim: 2, got 0"},
		{"Points.Upsert", upsert(good, other("m", &qdrant.Vector{Data: []float32{1, 2, 3}, VectorsCount: new(uint32(2))})), "3 components are not 2 vectors of one size"},
		{"Points.Upsert", upsert(good, other("m", &qdrant.Vector{Data: []float32{1, 2, 3}, VectorsCount: new(uint32(0))})), "3 components are not 0 vectors of one size"},
		{"Points.Upsert", upsert(good, &qdrant.PointStruct{Id: qdrant.NewIDNum(3), Vectors: qdrant.NewVectors(1, 2), Payload: map[string]*qdrant.Value{"x": qdrant.NewValueDouble(math.Inf(-1))}}), "is not a JSON number"},
		{"Points.Delete", &qdrant.DeletePoints{CollectionName: "c"}, "neither ids nor a filter"},
		{"Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: none}, "neither ids nor a filter"},
		{"Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: empty}, "the list of ids is empty"},
		{"Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{{}}})}, "a condition is empty"},
		{"Points.ClearPayload", &qdrant.ClearPayloadPoints{CollectionName: "c", Points: empty}, "the list of ids is empty"},
		{"Points.SetPayload", &qdrant.SetPayloadPoints{CollectionName: "c", Payload: somePayload()}, "neither ids nor a filter"},
		{"Points.SetPayload", &qdrant.SetPayloadPoints{CollectionName: "c", Payload: somePayload(), PointsSelector: ids(), Key: new("")}, "payload path"},
		{"Points.SetPayload", &qdrant.SetPayloadPoints{CollectionName: "c", Payload: somePayload(), PointsSelector: ids(), Key: new("a..b")}, "payload path"},
		{"Points.DeletePayload", &qdrant.DeletePayloadPoints{CollectionName: "c", PointsSelector: ids()}, "no payload keys"},
		{"Points.DeletePayload", &qdrant.DeletePayloadPoints{CollectionName: "c", PointsSelector: ids(), Keys: []string{"a["}}, "payload path"},
		{"Points.UpdateVectors", &qdrant.UpdatePointVectors{CollectionName: "c"}, "no points are given"},
		{"Points.UpdateVectors", &qdrant.UpdatePointVectors{CollectionName: "c", Points: []*qdrant.PointVectors{{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectors(1)}}}, "expected dim: 2, got 1"},
		{"Points.DeleteVectors", &qdrant.DeletePointVectors{CollectionName: "c", PointsSelector: ids()}, "no vector names"},
		{"Points.DeleteVectors", &qdrant.DeletePointVectors{CollectionName: "c", PointsSelector: ids(), Vectors: &qdrant.VectorsSelector{Names: []string{"x"}}}, "Not existing vector name error: x"},
		{"Points.UpdateBatch", &qdrant.UpdateBatchPoints{CollectionName: "c"}, "no operations are given"},
		{"Points.UpdateBatch", &qdrant.UpdateBatchPoints{CollectionName: "c", Operations: []*qdrant.PointsUpdateOperation{{}}}, "the operation is empty"},
	}
	for _, c := range cases {
		l := prepared(t)
		l.refused(c.method, c.request, codes.InvalidArgument, c.text)
		_, err := l.try(c.method, c.request)
		if !strings.HasPrefix(status.Convert(err).Message(), "Wrong input: ") {
			t.Errorf("%s: the text %v begins otherwise than Qdrant's", c.method, err)
		}
		if calls := l.taken(); len(calls) > 0 {
			t.Errorf("%s(%v) got as far as %v", c.method, c.request, calls)
		}
	}
}

func TestAnUnknownCollectionIsNotFoundByReadsAndWrites(t *testing.T) {
	for method, requests := range examples() {
		if !strings.HasPrefix(method, "Points.") {
			continue
		}
		request := proto.Clone(requests[0])
		walkNames(request, "elsewhere")
		prepared(t).refused(method, request, codes.NotFound, "Not found: Collection `elsewhere` doesn't exist!")
	}
}

func TestWriteStatusTellsHowFarItCame(t *testing.T) {
	l := prepared(t)
	request := upsert(aPoint(5, nil, 1, 2))
	ask := func() *qdrant.UpdateResult {
		t.Helper()
		return l.must("Points.Upsert", request).(*qdrant.PointsOperationResponse).GetResult()
	}
	if got := ask(); got.GetStatus() != qdrant.UpdateStatus_Acknowledged || got.GetOperationId() != 2 {
		t.Errorf("wait unset: %v", got)
	}
	request.Wait = new(true)
	if got := ask(); got.GetStatus() != qdrant.UpdateStatus_Completed {
		t.Errorf("wait: %v", got)
	}
	l.neverApplied = true
	if got := ask(); got.GetStatus() != qdrant.UpdateStatus_WaitTimeout {
		t.Errorf("accepted, and not applied in time: %v", got)
	}
	l.writeErr = fault.New(fault.Timeout, "it was tried until the deadline")
	l.refused("Points.Upsert", request, codes.DeadlineExceeded, "Timeout: it was tried until the deadline")
}

func TestOfPointsWithTheSameIDTheLastIsStoredWhateverTheMode(t *testing.T) {
	for _, mode := range []qdrant.UpdateMode{qdrant.UpdateMode_Upsert, qdrant.UpdateMode_InsertOnly} {
		l := prepared(t)
		request := upsert(aPoint(9, map[string]any{"n": 1}, 1, 2), aPoint(3, nil, 1, 2), aPoint(9, map[string]any{"n": 2}, 1, 2))
		request.UpdateMode = &mode
		l.must("Points.Upsert", request)
		if got := l.payloadOf(9)["n"].GetIntegerValue(); got != 2 {
			t.Errorf("%s: n is %d", mode, got)
		}
	}
}

func TestPayloadsKeepTheirKindsAndShape(t *testing.T) {
	l := prepared(t)
	payload := map[string]any{
		"int": int64(math.MaxInt64), "whole": 2.0, "text": "žluť", "yes": true, "nothing": nil, "none": []any{}, "bare": map[string]any{},
		"list": []any{int64(1), "two", []any{3.5}, map[string]any{"x": nil}}, "": "an empty key", "a.b": "a key with a dot",
	}
	l.must("Points.Upsert", upsert(aPoint(4, payload, 1, 2)))
	want := qdrant.NewValueMap(payload)
	for key, v := range l.payloadOf(4) {
		if !proto.Equal(v, want[key]) {
			t.Errorf("%q: %v, want %v", key, v, want[key])
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestPayloadOperations(t *testing.T) {
	l := prepared(t)
	l.must("Points.Upsert", upsert(aPoint(4, map[string]any{"a": map[string]any{"x": 1, "y": 2}, "b": 1}, 1, 2)))
	only4 := qdrant.NewPointsSelector(qdrant.NewIDNum(4))
	set := func(method string, key *string, payload map[string]any) {
		t.Helper()
		l.must(method, &qdrant.SetPayloadPoints{CollectionName: "c", PointsSelector: only4, Key: key, Payload: qdrant.NewValueMap(payload)})
	}
	expect := func(want map[string]any) {
		t.Helper()
		got := qdrant.NewValueStruct(&qdrant.Struct{Fields: l.payloadOf(4)})
		if w := qdrant.NewValueStruct(&qdrant.Struct{Fields: qdrant.NewValueMap(want)}); !proto.Equal(got, w) {
			t.Errorf("%v, want %v", got, w)
		}
	}
	set("Points.SetPayload", nil, map[string]any{"c": 3})
	set("Points.SetPayload", new("a"), map[string]any{"y": 9})
	expect(map[string]any{"a": map[string]any{"x": 1, "y": 9}, "b": 1, "c": 3})
	l.must("Points.DeletePayload", &qdrant.DeletePayloadPoints{CollectionName: "c", PointsSelector: only4, Keys: []string{"a.x", "c"}})
	expect(map[string]any{"a": map[string]any{"y": 9}, "b": 1})
	set("Points.OverwritePayload", nil, map[string]any{"d": 1})
	expect(map[string]any{"d": 1})
	l.must("Points.ClearPayload", &qdrant.ClearPayloadPoints{CollectionName: "c", Points: only4})
	expect(map[string]any{})
}

func TestUpdateBatchIsOrderedAndRefusedAsAWhole(t *testing.T) {
	l := prepared(t)
	store := func(points ...*qdrant.PointStruct) *qdrant.PointsUpdateOperation {
		return qdrant.NewPointsUpdateUpsert(&qdrant.PointsUpdateOperation_PointStructList{Points: points})
	}
	remove := &qdrant.PointsUpdateOperation{Operation: &qdrant.PointsUpdateOperation_DeletePoints_{
		DeletePoints: &qdrant.PointsUpdateOperation_DeletePoints{Points: qdrant.NewPointsSelector(qdrant.NewIDNum(20))},
	}}
	batch := func(ops ...*qdrant.PointsUpdateOperation) *qdrant.UpdateBatchPoints {
		return &qdrant.UpdateBatchPoints{CollectionName: "c", Operations: ops, Wait: new(true)}
	}
	got := l.must("Points.UpdateBatch", batch(store(aPoint(20, nil, 1, 2), aPoint(21, nil, 1, 2)), remove)).(*qdrant.UpdateBatchResponse)
	if len(got.GetResult()) != 2 || got.GetResult()[1].GetStatus() != qdrant.UpdateStatus_Completed || got.GetResult()[0].GetOperationId() >= got.GetResult()[1].GetOperationId() {
		t.Errorf("%v", got)
	}
	l.taken()
	l.refused("Points.UpdateBatch", batch(remove, store(aPoint(22, nil, 1))), codes.InvalidArgument, "operation 2 of 2 (nothing of the batch is applied): Vector dimension error")
	if calls := l.taken(); len(calls) > 0 {
		t.Errorf("the first was sent: %v", calls)
	}
}

func TestABatchThatStopsInTheMiddleSaysSo(t *testing.T) {
	l := prepared(t)
	missing := &qdrant.PointsUpdateOperation{Operation: &qdrant.PointsUpdateOperation_UpdateVectors_{UpdateVectors: &qdrant.PointsUpdateOperation_UpdateVectors{
		Points: []*qdrant.PointVectors{{Id: qdrant.NewIDNum(404), Vectors: qdrant.NewVectors(1, 2)}},
	}}}
	first := qdrant.NewPointsUpdateUpsert(&qdrant.PointsUpdateOperation_PointStructList{Points: []*qdrant.PointStruct{aPoint(5, nil, 1, 2)}})
	_, err := l.try("Points.UpdateBatch", &qdrant.UpdateBatchPoints{CollectionName: "c", Operations: []*qdrant.PointsUpdateOperation{first, missing}})
	if st := status.Convert(err); st.Code() != codes.NotFound || !contains(st.Message(), "operation 2 of 2 (those before it are applied): No point with id 404 found") {
		t.Errorf("%v", err)
	}
	if fault.Hint(fault.FromStatus(err), fault.HintOutcome) != fault.OutcomeUnknown {
		t.Error("a client may take the batch for one that changed nothing, and send it again")
	}
}

func TestUpsertConditionsReachTheShards(t *testing.T) {
	l := prepared(t)
	l.must("Points.Upsert", upsert(aPoint(4, map[string]any{"n": 1}, 1, 2)))
	request := upsert(aPoint(4, map[string]any{"n": 2}, 1, 2), aPoint(5, map[string]any{"n": 2}, 1, 2))
	request.UpdateFilter = &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("n", 7)}}
	l.must("Points.Upsert", request)
	if got := l.payloadOf(4)["n"].GetIntegerValue(); got != 1 {
		t.Errorf("a point that does not match was replaced: %d", got)
	}
	l.payloadOf(5)
	request.UpdateFilter, request.UpdateMode = nil, new(qdrant.UpdateMode_UpdateOnly)
	request.Points = append(request.Points, aPoint(6, nil, 1, 2))
	l.must("Points.Upsert", request)
	if got := l.payloadOf(4)["n"].GetIntegerValue(); got != 2 {
		t.Errorf("n is %d", got)
	}
	if n := l.must("Points.Count", &qdrant.CountPoints{CollectionName: "c"}).(*qdrant.CountResponse).GetResult().GetCount(); n != 3 {
		t.Errorf("update_only stored a new point: %d", n)
	}
}

func TestAnEmptySelectorOfIDsNeverReachesTheLogAsEveryPoint(t *testing.T) {
	l := prepared(t)
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()})
	for _, call := range l.taken() {
		if op, ok := call.(point.Delete); ok && (op.IDs == nil || op.Filter != nil) {
			t.Errorf("%+v", op)
		}
	}
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{})})
	if n := l.must("Points.Count", &qdrant.CountPoints{CollectionName: "c"}).(*qdrant.CountResponse).GetResult().GetCount(); n != 0 {
		t.Errorf("the empty filter is every point, %d are left", n)
	}
}

func TestErrorsOfTheClusterKeepTheirClassAndGetQdrantsWords(t *testing.T) {
	for _, c := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{fault.New(fault.FailedPrecondition, "shard 0 needs 2 of 2 replicas, 1 is active"), codes.FailedPrecondition, "Pre-condition failure: shard 0 needs"},
		{fault.New(fault.Unavailable, "nobody answers"), codes.Unavailable, "nobody answers"},
		{fault.New(fault.Internal, "odd"), codes.Internal, "Service internal error: odd"},
		{context.DeadlineExceeded, codes.DeadlineExceeded, "Timeout: "},
		{context.Canceled, codes.Canceled, "canceled"},
		{fault.Wrap(fault.Unavailable, status.Error(codes.Internal, "inner"), "peer 7"), codes.Unavailable, "peer 7: "},
		{status.Error(codes.DataLoss, "as it is"), codes.DataLoss, "as it is"},
	} {
		l := prepared(t)
		l.writeErr = c.err
		l.refused("Points.Upsert", upsert(aPoint(1, nil, 1, 2)), c.code, c.text)
	}
}

func TestRegisterNeedsWhatItStandsOn(t *testing.T) {
	if _, err := api.NewCall(api.Options{}); err == nil {
		t.Error("services without anything behind them were made")
	}
}

func walkNames(m proto.Message, name string) {
	r := m.ProtoReflect()
	if f := r.Descriptor().Fields().ByName("collection_name"); f != nil {
		r.Set(f, valueOfString(name))
	}
	for i := range r.Descriptor().Fields().Len() {
		for _, child := range children(r, r.Descriptor().Fields().Get(i)) {
			walkNames(child.Interface(), name)
		}
	}
}
