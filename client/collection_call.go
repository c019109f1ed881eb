package client

import (
	"context"
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

const collectionsService = "qdrant.Collections/"

// CreateCollection declares a collection. ClassExists: there is one of that name.
func (c *Client) CreateCollection(ctx context.Context, spec CollectionSpec) error {
	op := operation{kind: once, ddl: true, method: collectionsService + "Create"}
	request, err := createRequest(spec)
	if err != nil {
		return named(err, op)
	}
	_, err = call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.CollectionOperationResponse, error) {
		return e.collections.Create(ctx, request)
	})
	return err
}

// GetCollection returns the effective configuration and the state of the collection of that name or alias.
// ClassNotFound: there is none.
func (c *Client) GetCollection(ctx context.Context, name string) (*Collection, error) {
	op := operation{kind: read, method: collectionsService + "Get"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.GetCollectionInfoResponse, error) {
		return e.collections.Get(ctx, &qdrant.GetCollectionInfoRequest{CollectionName: name})
	})
	if err != nil {
		return nil, err
	}
	return collectionOf(name, reply.GetResult()), nil
}

// UpdateCollection changes a collection in place. ClassNotFound: there is none of that name.
func (c *Client) UpdateCollection(ctx context.Context, name string, update CollectionUpdate) error {
	op := operation{kind: once, ddl: true, method: collectionsService + "Update"}
	request, err := updateRequest(name, update)
	if err != nil {
		return named(err, op)
	}
	_, err = call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.CollectionOperationResponse, error) {
		return e.collections.Update(ctx, request)
	})
	return err
}

// DeleteCollection deletes a collection with its points and aliases. A missing one is no error: existed is false.
func (c *Client) DeleteCollection(ctx context.Context, name string) (existed bool, err error) {
	op := operation{kind: once, ddl: true, method: collectionsService + "Delete"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.CollectionOperationResponse, error) {
		return e.collections.Delete(ctx, &qdrant.DeleteCollection{CollectionName: name})
	})
	return reply.GetResult(), err
}

// CollectionExists reports whether a collection or alias of that name exists.
func (c *Client) CollectionExists(ctx context.Context, name string) (bool, error) {
	op := operation{kind: read, method: collectionsService + "CollectionExists"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.CollectionExistsResponse, error) {
		return e.collections.CollectionExists(ctx, &qdrant.CollectionExistsRequest{CollectionName: name})
	})
	return reply.GetResult().GetExists(), err
}

// ListCollections returns the names of all collections, sorted.
func (c *Client) ListCollections(ctx context.Context) ([]string, error) {
	op := operation{kind: read, method: collectionsService + "List"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.ListCollectionsResponse, error) {
		return e.collections.List(ctx, &qdrant.ListCollectionsRequest{})
	})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(reply.GetCollections()))
	for _, d := range reply.GetCollections() {
		names = append(names, d.GetName())
	}
	slices.Sort(names)
	return names, nil
}

// ListAliases returns all aliases.
func (c *Client) ListAliases(ctx context.Context) ([]Alias, error) {
	op := operation{kind: read, method: collectionsService + "ListAliases"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.ListAliasesResponse, error) {
		return e.collections.ListAliases(ctx, &qdrant.ListAliasesRequest{})
	})
	return aliasesOf(reply), err
}

// ListCollectionAliases returns the aliases of one collection.
func (c *Client) ListCollectionAliases(ctx context.Context, collection string) ([]Alias, error) {
	op := operation{kind: read, method: collectionsService + "ListCollectionAliases"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.ListAliasesResponse, error) {
		return e.collections.ListCollectionAliases(ctx, &qdrant.ListCollectionAliasesRequest{CollectionName: collection})
	})
	return aliasesOf(reply), err
}

func aliasesOf(reply *qdrant.ListAliasesResponse) []Alias {
	var aliases []Alias
	for _, a := range reply.GetAliases() {
		aliases = append(aliases, Alias{Name: a.GetAliasName(), Collection: a.GetCollectionName()})
	}
	return aliases
}

// ChangeAliases makes the changes in order, all or none (a plain Qdrant stops at the first that fails).
func (c *Client) ChangeAliases(ctx context.Context, actions ...AliasAction) error {
	op := operation{kind: once, ddl: true, method: collectionsService + "UpdateAliases"}
	request := &qdrant.ChangeAliases{}
	for _, a := range actions {
		switch a.kind {
		case aliasCreate:
			request.Actions = append(request.Actions, qdrant.NewAliasCreate(a.from, a.to))
		case aliasRename:
			request.Actions = append(request.Actions, qdrant.NewAliasRename(a.from, a.to))
		case aliasDelete:
			request.Actions = append(request.Actions, qdrant.NewAliasDelete(a.from))
		}
	}
	_, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.CollectionOperationResponse, error) {
		return e.collections.UpdateAliases(ctx, request)
	})
	return err
}
