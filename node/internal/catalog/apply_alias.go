package catalog

import (
	"maps"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// changeAliases applies the actions to a copy, so that a refused one leaves all of them undone.
func (e *edit) changeAliases(actions []AliasAction) error {
	aliases := maps.Clone(e.next.Aliases)
	for _, a := range actions {
		if err := e.changeAlias(aliases, a); err != nil {
			return err
		}
	}
	e.setAliases(aliases)
	return nil
}

func (e *edit) changeAlias(aliases map[string]CollectionID, a AliasAction) error {
	switch {
	case a.Create != nil && a.Rename == nil && a.Delete == nil:
		id, ok := e.next.Names[a.Create.Collection]
		if !ok {
			return ErrMissingCollection(a.Create.Collection)
		}
		return e.putAlias(aliases, a.Create.Alias, id)
	case a.Rename != nil && a.Create == nil && a.Delete == nil:
		id, ok := aliases[a.Rename.Old]
		if !ok {
			return fault.New(fault.NotFound, "Alias %s does not exists!", a.Rename.Old)
		}
		delete(aliases, a.Rename.Old)
		return e.putAlias(aliases, a.Rename.New, id)
	case a.Delete != nil && a.Create == nil && a.Rename == nil:
		delete(aliases, *a.Delete)
		return nil
	}
	return invalid("an alias action must be one of create, rename, delete")
}

func (e *edit) putAlias(aliases map[string]CollectionID, alias string, id CollectionID) error {
	if err := CheckName(alias); err != nil {
		return err
	}
	if _, ok := e.next.Names[alias]; ok {
		return errCollectionExists(alias)
	}
	aliases[alias] = id
	return nil
}
