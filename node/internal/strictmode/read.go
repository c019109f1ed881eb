package strictmode

import (
	"golang.org/x/time/rate"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
)

// Read is what a request reads.
type Read struct {
	Timeout *uint64 // seconds; nil: the request does not say
	Batch   bool    // Queries are those of a batch
	Queries []Query // prefetches among them; none for a read by ids
}

// Query is one part of a Read. What is zero is not asked for.
type Query struct {
	Inner        bool   // a prefetch: it is not counted in the batch
	Limit        uint64 // points
	Filter       *filter.Filter
	Exact        bool
	EF           uint64
	Oversampling float64
	Using        *string // the vector by which it compares points; nil: it does not, or only those that prefetches found
	GroupBy      string  // path
}

// Read refuses a read that asks for more than the collection allows.
func (k *Keeper) Read(c *catalog.Collection, r Read) error {
	limits := c.Config.Limits()
	if limits == nil {
		return nil
	}
	if err := checkTimeout(c, limits, r.Timeout); err != nil {
		return err
	}
	cost, outer := uint64(1), uint64(0)
	if len(r.Queries) > 0 {
		cost = 0
	}
	for i := range r.Queries {
		q := &r.Queries[i]
		conditions, err := checkFilter(c, q.Filter, "unindexed_filtering_retrieve", limits.UnindexedRetrieve)
		if err != nil {
			return err
		}
		if err := q.check(c, limits); err != nil {
			return err
		}
		cost += 1 + conditions
		if !q.Inner {
			outer++
		}
	}
	if r.Batch {
		if err := over(c, "search_max_batchsize", outer, limits.MaxSearchBatch, "send fewer queries in a batch"); err != nil {
			return err
		}
	}
	return k.spend(c, "read_rate_limit", limits.ReadRate, cost, func(a *account) **rate.Limiter { return &a.read })
}

// check compares all but the filter.
func (q *Query) check(c *catalog.Collection, limits *catalog.StrictMode) error {
	for _, err := range []error{
		over(c, "max_query_limit", q.Limit, limits.MaxQueryLimit, "give a smaller limit, and read in pages"),
		over(c, "search_max_hnsw_ef", q.EF, limits.MaxHNSWEf, "give a smaller hnsw_ef"),
		over(c, "search_max_oversampling", q.Oversampling, limits.MaxOversampling, "give a smaller oversampling"),
	} {
		if err != nil {
			return err
		}
	}
	if limits.AllowExact != nil && !*limits.AllowExact {
		if q.Exact {
			return refused(c, "search_allow_exact", "the request is to be exact", "say exact = false")
		}
		if q.Using != nil && ungraphed(c, *q.Using) {
			return refused(c, "search_allow_exact", "the search compares with all points, as its vector has no graph (hnsw m = 0)",
				"search by another vector first, or give this one a graph")
		}
	}
	if q.GroupBy == "" || limits.UnindexedRetrieve == nil || *limits.UnindexedRetrieve {
		return nil
	}
	return indexed(c, "", q.GroupBy, groupable, "unindexed_filtering_retrieve")
}

// ungraphed tells whether there is never a graph of a dense vector.
func ungraphed(c *catalog.Collection, name string) bool {
	v, dense := c.Config.Vectors[name]
	return dense && v.HNSW.Over(c.Config.HNSW).M == 0
}
