package kv

import "errors"

var (
	// ErrClosed is in the chain of errors of a store that was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrFailed is in the chain of errors of a store whose disk failed once: it takes no write ever again, because
	// nobody knows what of the failed one is on the disk. Restarting the node reads what is.
	ErrFailed = errors.New("the store failed earlier and takes no more writes; restart the node after repairing its disk")
	// ErrFull is in the chain of the error of TryCommit (of class fault.Exhausted) for a disk that has no room: nothing was
	// changed.
	ErrFull = errors.New("the disk is full")
	// ErrNewerFormat is in the chain of the error of Open for a directory that a newer version wrote.
	ErrNewerFormat = errors.New("written by a newer version")
	// ErrLocked is in the chain of the error of Open for a directory that is in use.
	ErrLocked = errors.New("another process uses this data directory")
	// ErrOutsideLog is in the chain of errors about log entries that are no longer, or not yet, in the log.
	ErrOutsideLog = errors.New("outside of the log")
)
