package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// UpdateAliases makes all changes in order, or none.
func (s *collectionsService) UpdateAliases(ctx context.Context, r *qdrant.ChangeAliases) (*qdrant.CollectionOperationResponse, error) {
	return s.change(ctx, r.Timeout, func() (catalog.Command, error) {
		if err := s.checkBatch(len(r.GetActions())); err != nil {
			return catalog.Command{}, err
		}
		actions := make([]catalog.AliasAction, len(r.GetActions()))
		for i, a := range r.GetActions() {
			action, err := aliasFrom(a)
			if err != nil {
				return catalog.Command{}, err
			}
			actions[i] = action
		}
		return catalog.Command{ChangeAliases: actions}, nil
	})
}

func aliasFrom(a *qdrant.AliasOperations) (out catalog.AliasAction, err error) {
	switch o := a.GetAction().(type) {
	case *qdrant.AliasOperations_CreateAlias:
		alias := o.CreateAlias.GetAliasName()
		out.Create = &struct{ Alias, Collection string }{alias, o.CreateAlias.GetCollectionName()}
		return out, catalog.CheckName(alias)
	case *qdrant.AliasOperations_RenameAlias:
		alias := o.RenameAlias.GetNewAliasName()
		out.Rename = &struct{ Old, New string }{o.RenameAlias.GetOldAliasName(), alias}
		return out, catalog.CheckName(alias)
	case *qdrant.AliasOperations_DeleteAlias:
		alias := o.DeleteAlias.GetAliasName()
		out.Delete = &alias
		return out, nil
	}
	return out, invalid("alias: the action is empty or of a kind that this server does not know")
}

// ListCollectionAliases lists the aliases of one collection. That one is not in the list says that it does not exist, so this node
// catches up first.
func (s *collectionsService) ListCollectionAliases(ctx context.Context, r *qdrant.ListCollectionAliasesRequest) (*qdrant.ListAliasesResponse, error) {
	start := time.Now()
	if err := s.CatchUp(ctx); err != nil {
		return nil, err
	}
	state := s.Metadata.State()
	found, ok := state.Lookup(r.GetCollectionName())
	if !ok {
		return nil, catalog.ErrMissingCollection(r.GetCollectionName())
	}
	return &qdrant.ListAliasesResponse{Aliases: aliasesTo(state, state.AliasesOf(found.ID)), Time: since(start)}, nil
}

// ListAliases lists all aliases, in order, once this node has caught up.
func (s *collectionsService) ListAliases(ctx context.Context, _ *qdrant.ListAliasesRequest) (*qdrant.ListAliasesResponse, error) {
	start := time.Now()
	if err := s.CatchUp(ctx); err != nil {
		return nil, err
	}
	state := s.Metadata.State()
	aliases := slices.Sorted(maps.Keys(state.Aliases))
	return &qdrant.ListAliasesResponse{Aliases: aliasesTo(state, aliases), Time: since(start)}, nil
}

func aliasesTo(state *catalog.State, aliases []string) []*qdrant.AliasDescription {
	out := make([]*qdrant.AliasDescription, 0, len(aliases))
	for _, alias := range aliases {
		if c, ok := state.Collections[state.Aliases[alias]]; ok {
			out = append(out, &qdrant.AliasDescription{AliasName: alias, CollectionName: c.Name})
		}
	}
	return out
}
