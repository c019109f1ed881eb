// Package chaos tests the cluster as its users meet it: real processes, real sockets, and kill -9. Its tests have
// the build tag chaos and run by `make chaos`; a short version runs in `make check`.
package chaos
