package catalog

import (
	"errors"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// ErrNewerFormat marks bytes that a newer version wrote (class fault.Unsupported): upgrade this node.
var ErrNewerFormat = errors.New("written in a newer format than this version reads")

// ErrMissingCollection returns the NotFound error of a collection, worded as Qdrant does.
func ErrMissingCollection(name string) *fault.Error {
	return fault.New(fault.NotFound, "Collection `%s` doesn't exist!", name)
}

func errCollectionExists(name string) *fault.Error {
	return fault.New(fault.Exists, "Collection `%s` already exists!", name)
}

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...)
}

func refuse(format string, args ...any) *fault.Error {
	return fault.New(fault.FailedPrecondition, format, args...)
}
