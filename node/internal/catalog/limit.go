package catalog

// The limits of a Config. They keep one collection from taking the cluster down, not a user from growing.
const (
	MaxShards            = 1024  // of a collection; slot.Count is the hard bound
	MaxReplicas          = 64    // replication_factor
	MaxVectors           = 64    // named vectors of a collection
	MaxVectorSize        = 65536 // components
	MaxMetadataBytes     = 64 << 10
	MaxMetadataDepth     = 32
	MaxLabels            = 64   // of a peer
	MaxKeyPeers          = 1024 // that a shard key's placement names
	MaxFieldIndexes      = 256  // payload indexes of a collection
	MaxFieldNameBytes    = 1024 // of the name of a payload index's field
	maxHNSWDegree        = 2048
	minHNSWEfConstruct   = 4
	minQuantile          = 0.5
	maxBinaryEncoding    = 2
	maxBinaryQuery       = 3
	maxHNSWEfConstruct   = 1 << 20
	maxThreads           = 1 << 12
	maxDefaultSegments   = 1 << 12
	maxWALCapacityMB     = 1 << 16
	maxWALSegments       = 1 << 12
	maxReadFanOutDelayMS = 60_000
	maxSafeInteger       = 1<<53 - 1 // the largest PeerID: what JSON readers keep exact
)
