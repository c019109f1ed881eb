package collection

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// strictLimit is a number of strict_mode; null is no limit.
type strictLimit struct {
	name, text string
	low, high  int64
	of         func(*client.StrictMode) **uint64
}

const most32 = 1<<32 - 2 // the largest that is a limit where the API has 32 bits

func strictLimits() []strictLimit {
	type mode = client.StrictMode
	return []strictLimit{
		{"max_query_limit", "Most points that a query, prefetch, scroll or facet may ask for; of groups, their number times their size.", 1, most32, func(s *mode) **uint64 { return &s.MaxQueryLimit }},
		{"max_timeout", "Longest `timeout` of a request, in seconds. A request that gives none takes no longer either.", 1, most32, func(s *mode) **uint64 { return &s.MaxTimeout }},
		{"search_max_hnsw_ef", "Largest `hnsw_ef` of a search.", 1, most32, func(s *mode) **uint64 { return &s.SearchMaxHNSWEf }},
		{"search_max_batchsize", "Most queries in one batch.", 1, unbounded, func(s *mode) **uint64 { return &s.SearchMaxBatchsize }},
		{"upsert_max_batchsize", "Most points in one upsert or update of vectors.", 1, unbounded, func(s *mode) **uint64 { return &s.UpsertMaxBatchsize }},
		{"filter_max_conditions", "Most conditions of one filter, at all levels.", 0, unbounded, func(s *mode) **uint64 { return &s.FilterMaxConditions }},
		{"condition_max_size", "Most values that one condition may list, as `any` does.", 1, unbounded, func(s *mode) **uint64 { return &s.ConditionMaxSize }},
		{"read_rate_limit", "Reads in a minute, on each node. A query costs one, and one for each condition of its filter.", 1, most32, func(s *mode) **uint64 { return &s.ReadRateLimit }},
		{"write_rate_limit", "Writes in a minute, on each node. A write costs as many as it names points.", 1, most32, func(s *mode) **uint64 { return &s.WriteRateLimit }},
		{"max_points_count", "Number of points from which on the collection takes no more.", 1, unbounded, func(s *mode) **uint64 { return &s.MaxPointsCount }},
		{"max_collection_vector_size_bytes", "Size of the vectors of one copy of the collection, in bytes, from which on it takes no more.", 1, unbounded, func(s *mode) **uint64 { return &s.MaxCollectionVectorSizeBytes }},
		{"max_collection_payload_size_bytes", "Size of the payloads of one copy of the collection, in bytes, from which on it takes no more.", 1, unbounded, func(s *mode) **uint64 { return &s.MaxCollectionPayloadSizeBytes }},
		{"max_payload_index_count", "Most payload indexes.", 0, unbounded, func(s *mode) **uint64 { return &s.MaxPayloadIndexCount }},
	}
}

// strictSwitch is something that strict_mode may forbid; null allows it.
type strictSwitch struct {
	name, text string
	of         func(*client.StrictMode) **bool
}

func strictSwitches() []strictSwitch {
	type mode = client.StrictMode
	return []strictSwitch{
		{"unindexed_filtering_retrieve", "Whether reads may filter, and group, by fields without an index that helps.", func(s *mode) **bool { return &s.UnindexedFilteringRetrieve }},
		{"unindexed_filtering_update", "Whether writes may filter by fields without an index that helps.", func(s *mode) **bool { return &s.UnindexedFilteringUpdate }},
		{"search_allow_exact", "Whether requests may be `exact`, and search by vectors that have no graph.", func(s *mode) **bool { return &s.SearchAllowExact }},
	}
}

// strictNamed is limits by the names of vectors.
type strictNamed struct {
	name, inner, text, innerText, what string
	of                                 func(*client.StrictMode) *map[string]uint64
	declared                           func(model) types.Map
}

func strictByName() []strictNamed {
	type mode = client.StrictMode
	return []strictNamed{
		{"multivector_config", "max_vectors", "Limits of multivectors, by their names.", "Most vectors that a point may have of that name.", "a multivector",
			func(s *mode) *map[string]uint64 { return &s.MultivectorMaxVectors }, func(m model) types.Map { return m.Vectors }},
		{"sparse_config", "max_length", "Limits of sparse vectors, by their names.", "Most weights that a vector of that name may have.", "a sparse vector",
			func(s *mode) *map[string]uint64 { return &s.SparseMaxLength }, func(m model) types.Map { return m.SparseVectors }},
	}
}

const strictOversampling = "search_max_oversampling"

func (n strictNamed) element() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{n.inner: types.Int64Type}}
}

func strictTypes() map[string]attr.Type {
	out := map[string]attr.Type{"enabled": types.BoolType, strictOversampling: types.Float64Type}
	for _, l := range strictLimits() {
		out[l.name] = types.Int64Type
	}
	for _, s := range strictSwitches() {
		out[s.name] = types.BoolType
	}
	for _, n := range strictByName() {
		out[n.name] = types.MapType{ElemType: n.element()}
	}
	return out
}

// strictOf is what is declared; nil is off.
func strictOf(o types.Object) *client.StrictMode {
	if o.IsNull() || o.IsUnknown() {
		return nil
	}
	out := &client.StrictMode{Enabled: attributeOf[types.Bool](o, "enabled").ValueBoolPointer()}
	for _, l := range strictLimits() {
		*l.of(out) = uint64Of(attributeOf[types.Int64](o, l.name))
	}
	for _, s := range strictSwitches() {
		*s.of(out) = attributeOf[types.Bool](o, s.name).ValueBoolPointer()
	}
	if v := attributeOf[types.Float64](o, strictOversampling); !v.IsNull() && !v.IsUnknown() {
		n := float32(v.ValueFloat64())
		out.SearchMaxOversampling = &n
	}
	for _, n := range strictByName() {
		for name, element := range attributeOf[types.Map](o, n.name).Elements() {
			inner, ok := element.(types.Object)
			if limit := uint64Of(attributeOf[types.Int64](inner, n.inner)); ok && limit != nil {
				*n.of(out) = put(*n.of(out), name, *limit)
			}
		}
	}
	return out
}

// attributeOf returns an attribute of an object, null if it is not there.
func attributeOf[T attr.Value](o types.Object, name string) T {
	v, _ := o.Attributes()[name].(T)
	return v
}

// observeStrict is what the server has. Nothing is null, unless prior says that nothing was declared in so many words.
func observeStrict(prior types.Object, s *client.StrictMode) types.Object {
	if s == nil {
		s = &client.StrictMode{}
	}
	if (prior.IsNull() || prior.IsUnknown()) && reflect.DeepEqual(strictMeaning(s), client.StrictMode{}) {
		return types.ObjectNull(strictTypes())
	}
	values := map[string]attr.Value{
		"enabled": boolOf(s.Enabled), strictOversampling: observeFloat(attributeOf[types.Float64](prior, strictOversampling), s.SearchMaxOversampling),
	}
	for _, l := range strictLimits() {
		values[l.name] = int64OrNull(*l.of(s))
	}
	for _, sw := range strictSwitches() {
		values[sw.name] = observeSwitch(prior, sw.name, *sw.of(s))
	}
	for _, n := range strictByName() {
		values[n.name] = n.observe(*n.of(s))
	}
	return types.ObjectValueMust(strictTypes(), values)
}

// observeSwitch takes what is allowed for not said where nothing was: it cannot be taken back in the API, only allowed.
func observeSwitch(prior types.Object, name string, v *bool) types.Bool {
	said := attributeOf[types.Bool](prior, name)
	switch {
	case v != nil && !*v:
		return types.BoolValue(false)
	case prior.IsNull() || prior.IsUnknown():
		return types.BoolPointerValue(v)
	case said.IsNull() || said.IsUnknown():
		return types.BoolNull()
	}
	return types.BoolValue(true)
}

func (n strictNamed) observe(limits map[string]uint64) types.Map {
	if len(limits) == 0 {
		return types.MapNull(n.element())
	}
	values := make(map[string]attr.Value, len(limits))
	for name, limit := range limits {
		values[name] = types.ObjectValueMust(n.element().AttrTypes, map[string]attr.Value{n.inner: types.Int64Value(int64(limit))})
	}
	return types.MapValueMust(n.element(), values)
}

// observeFloat keeps a prior number that the server's shorter one stands for.
func observeFloat(prior types.Float64, v *float32) types.Float64 {
	if v == nil {
		return types.Float64Null()
	}
	if !prior.IsNull() && !prior.IsUnknown() && float32(prior.ValueFloat64()) == *v {
		return prior
	}
	shortest, err := strconv.ParseFloat(strconv.FormatFloat(float64(*v), 'g', -1, 32), 64)
	if err != nil {
		shortest = float64(*v)
	}
	return types.Float64Value(shortest)
}

// strictMeaning is s without what means the same as nothing.
func strictMeaning(s *client.StrictMode) client.StrictMode {
	if s == nil {
		return client.StrictMode{}
	}
	out := *s
	if !valueOf(out.Enabled) {
		out.Enabled = nil
	}
	for _, sw := range strictSwitches() {
		if v := sw.of(&out); valueOf(*v) {
			*v = nil
		}
	}
	for _, n := range strictByName() {
		if m := n.of(&out); len(*m) == 0 {
			*m = nil
		}
	}
	return out
}

// strictChange returns what to change, nil for nothing. What is no longer declared is taken back; without strict_mode, all is.
func strictChange(have, want *client.StrictMode) *client.StrictMode {
	from, to := strictMeaning(have), strictMeaning(want)
	if reflect.DeepEqual(from, to) {
		return nil
	}
	out := &client.StrictMode{SearchMaxOversampling: changedOr(from.SearchMaxOversampling, to.SearchMaxOversampling, client.NoOversamplingLimit)}
	out.Enabled = changedOr(from.Enabled, to.Enabled, false)
	for _, l := range strictLimits() {
		*l.of(out) = changedOr(*l.of(&from), *l.of(&to), client.NoLimit)
	}
	for _, s := range strictSwitches() {
		*s.of(out) = changedOr(*s.of(&from), *s.of(&to), true)
	}
	for _, n := range strictByName() {
		if !maps.Equal(*n.of(&from), *n.of(&to)) {
			*n.of(out) = map[string]uint64{}
			maps.Copy(*n.of(out), *n.of(&to))
		}
	}
	return out
}

// changedOr is changed, but returns none for what is there and not wanted.
func changedOr[T comparable](have, want *T, none T) *T {
	if have != nil && want == nil {
		return &none
	}
	return changed(have, want)
}

// checkStrict refuses limits of vectors that are not declared.
func checkStrict(m model, diags *diag.Diagnostics) {
	for _, n := range strictByName() {
		declared := n.declared(m)
		if declared.IsUnknown() {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(attributeOf[types.Map](m.StrictMode, n.name).Elements())) {
			if v, ok := declared.Elements()[name]; !ok || n.name == "multivector_config" && !mayBeMulti(v) {
				diags.AddAttributeError(path.Root("strict_mode").AtName(n.name).AtMapKey(name), "No such vector",
					fmt.Sprintf("%q is not the name of %s of this collection.", name, n.what))
			}
		}
	}
}

func mayBeMulti(v attr.Value) bool {
	o, ok := v.(types.Object)
	return !ok || o.IsUnknown() || !attributeOf[types.Object](o, "multivector").IsNull()
}
