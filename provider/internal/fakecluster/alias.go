package fakecluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Alias names a collection once more, or takes a name away when the collection is "".
func (c *Cluster) Alias(alias, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.aliases[alias] = name; name == "" {
		delete(c.mu.aliases, alias)
	}
}

func (s *collectionsService) ListAliases(context.Context, *qdrant.ListAliasesRequest) (*qdrant.ListAliasesResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &qdrant.ListAliasesResponse{Time: 0.001}
	for _, alias := range slices.Sorted(maps.Keys(c.mu.aliases)) {
		out.Aliases = append(out.Aliases, &qdrant.AliasDescription{AliasName: alias, CollectionName: c.mu.aliases[alias]})
	}
	return out, nil
}

// UpdateAliases makes all changes, or none.
func (s *collectionsService) UpdateAliases(_ context.Context, r *qdrant.ChangeAliases) (*qdrant.CollectionOperationResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	next := maps.Clone(c.mu.aliases)
	var done []string
	for _, action := range r.GetActions() {
		switch a := action.GetAction().(type) {
		case *qdrant.AliasOperations_DeleteAlias:
			delete(next, a.DeleteAlias.GetAliasName())
			done = append(done, "delete "+a.DeleteAlias.GetAliasName())
		case *qdrant.AliasOperations_CreateAlias:
			name, target := a.CreateAlias.GetAliasName(), a.CreateAlias.GetCollectionName()
			if real, ok := next[target]; ok { // some servers follow it
				target = real
			}
			if c.mu.collections[target] == nil {
				return nil, missing(target)
			}
			if c.mu.collections[name] != nil {
				return nil, status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", name)
			}
			next[name] = target
			done = append(done, fmt.Sprintf("create %s -> %s", name, target))
		default:
			return nil, wrong("alias action %T", a)
		}
	}
	c.mu.aliases = next
	c.mu.log = append(c.mu.log, "aliases: "+strings.Join(done, ", "))
	return &qdrant.CollectionOperationResponse{Result: true, Time: 0.001}, nil
}
