package fakecluster

import (
	"context"
	"fmt"
	"maps"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// pointsService has what changes a collection's schema; there are no points.
type pointsService struct {
	qdrant.UnimplementedPointsServer
	cluster *Cluster
}

// Index sets (or, with nil, removes) the index of a field behind everybody's back.
func (c *Cluster) Index(name, field string, info *qdrant.PayloadSchemaInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.collections[name].schema[field] = info; info == nil {
		delete(c.mu.collections[name].schema, field)
	}
}

func (c *collection) schemaCopy() map[string]*qdrant.PayloadSchemaInfo {
	out := map[string]*qdrant.PayloadSchemaInfo{}
	for field, info := range c.schema {
		out[field] = proto.Clone(info).(*qdrant.PayloadSchemaInfo)
	}
	return out
}

func (s *pointsService) CreateFieldIndex(_ context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	return s.change(r.GetCollectionName(), func(c *collection) (string, error) {
		info := &qdrant.PayloadSchemaInfo{DataType: qdrant.PayloadSchemaType(r.GetFieldType() + 1), Params: r.GetFieldIndexParams()}
		c.schema[r.GetFieldName()] = info
		return fmt.Sprintf("index %s/%s %s", c.name, r.GetFieldName(), info.GetDataType()), nil
	})
}

func (s *pointsService) DeleteFieldIndex(_ context.Context, r *qdrant.DeleteFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	return s.change(r.GetCollectionName(), func(c *collection) (string, error) {
		delete(c.schema, r.GetFieldName())
		return fmt.Sprintf("unindex %s/%s", c.name, r.GetFieldName()), nil
	})
}

func (s *pointsService) CreateVectorName(_ context.Context, r *qdrant.CreateVectorNameRequest) (*qdrant.PointsOperationResponse, error) {
	return s.change(r.GetCollectionName(), func(c *collection) (string, error) {
		name, p := r.GetVectorName(), c.config.GetParams()
		if vectorsOf(p.GetVectorsConfig())[name] != nil || p.GetSparseVectorsConfig().GetMap()[name] != nil {
			return "", wrong("Vector %q already exists", name)
		}
		if sparse := r.GetSparseConfig(); sparse != nil {
			if p.GetSparseVectorsConfig().GetMap() == nil {
				p.SparseVectorsConfig = qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{})
			}
			params := &qdrant.SparseVectorParams{Modifier: sparse.Modifier}
			if sparse.Datatype != nil {
				params.Index = &qdrant.SparseIndexConfig{Datatype: sparse.Datatype}
			}
			p.SparseVectorsConfig.Map[name] = params
			return fmt.Sprintf("add sparse vector %s/%s", c.name, name), nil
		}
		dense := r.GetDenseConfig()
		vectors := maps.Clone(vectorsOf(p.GetVectorsConfig()))
		if vectors == nil {
			vectors = map[string]*qdrant.VectorParams{}
		}
		vectors[name] = &qdrant.VectorParams{
			Size: dense.GetSize(), Distance: dense.GetDistance(), MultivectorConfig: dense.GetMultivectorConfig(), Datatype: dense.Datatype,
		}
		p.VectorsConfig = qdrant.NewVectorsConfigMap(vectors)
		return fmt.Sprintf("add vector %s/%s", c.name, name), valid(p)
	})
}

func (s *pointsService) DeleteVectorName(_ context.Context, r *qdrant.DeleteVectorNameRequest) (*qdrant.PointsOperationResponse, error) {
	return s.change(r.GetCollectionName(), func(c *collection) (string, error) {
		name, p := r.GetVectorName(), c.config.GetParams()
		if _, ok := p.GetSparseVectorsConfig().GetMap()[name]; ok {
			delete(p.GetSparseVectorsConfig().GetMap(), name)
			return fmt.Sprintf("remove sparse vector %s/%s", c.name, name), nil
		}
		vectors := vectorsOf(p.GetVectorsConfig())
		if _, ok := vectors[name]; !ok {
			return "", wrong("Not existing vector name error: %s", name)
		}
		delete(vectors, name)
		p.VectorsConfig = qdrant.NewVectorsConfigMap(vectors)
		return fmt.Sprintf("remove vector %s/%s", c.name, name), nil
	})
}

// change makes one change of a collection's schema and logs it.
func (s *pointsService) change(name string, do func(*collection) (string, error)) (*qdrant.PointsOperationResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.mu.collections[name]
	if !ok {
		return nil, missing(name)
	}
	line, err := do(found)
	if err != nil {
		return nil, err
	}
	c.mu.log = append(c.mu.log, line)
	return &qdrant.PointsOperationResponse{Time: 0.001, Result: &qdrant.UpdateResult{Status: qdrant.UpdateStatus_Completed}}, nil
}
