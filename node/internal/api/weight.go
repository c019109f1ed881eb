package api

import "github.com/qdrant/go-client/qdrant"

// Adds reports whether a method adds data.
func Adds(method string) bool {
	switch method {
	case qdrant.Points_Upsert_FullMethodName, qdrant.Points_UpdateVectors_FullMethodName, qdrant.Points_UpdateBatch_FullMethodName,
		qdrant.Points_SetPayload_FullMethodName, qdrant.Points_OverwritePayload_FullMethodName, qdrant.Points_CreateFieldIndex_FullMethodName,
		qdrant.Points_CreateVectorName_FullMethodName,
		qdrant.Collections_Create_FullMethodName:
		return true
	}
	return false
}

// Large reports whether a method's requests may be large: those that carry points, many queries, or lists of ids.
func Large(method string) bool {
	switch method {
	case qdrant.Points_Delete_FullMethodName, qdrant.Points_DeleteVectors_FullMethodName, qdrant.Points_DeletePayload_FullMethodName,
		qdrant.Points_ClearPayload_FullMethodName, qdrant.Points_SearchBatch_FullMethodName, qdrant.Points_QueryBatch_FullMethodName,
		qdrant.Points_RecommendBatch_FullMethodName, qdrant.Points_DiscoverBatch_FullMethodName, qdrant.Points_Get_FullMethodName:
		return true
	}
	return Adds(method)
}

// HealthCheck reports whether a method only asks whether the node is there.
func HealthCheck(method string) bool { return method == qdrant.Qdrant_HealthCheck_FullMethodName }
