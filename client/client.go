// Package client drives Ostraka nodes, and plain Qdrant servers, from Go.
//
// It owns the connections to one cluster's endpoints: which of them is used, when a call moves on to the next, what
// is retried, and how errors keep their class. It speaks Qdrant's gRPC API for collections and points, and
// ostraka.cluster.v1 for the cluster itself; a server without the latter is told apart (ErrNotOstraka).
//
// It promises that New uses no network, that a write is sent twice only where that is safe (the table
// below), that every error of a call is an *Error, and that no goroutine outlives Close. It never caches what a server
// said, never prints, and keeps no state on disk.
//
// # What is sent again
//
// By what is known of the attempt that failed:
//
//	             not sent   refused   outcome unknown
//	read         again      again     again
//	idempotent   again      again     again
//	once         again      again     never
//
// "Not sent": no byte of the request left on a connection. "Refused": the server's class says that nothing was
// applied (NOT_PRIMARY, STALE_EPOCH, EXHAUSTED from a node or with a "retry-after", which is waited for, CONFLICT for
// a change of metadata, whose compare-and-set failed, and UNAVAILABLE from a node that does not say that it does not know).
// "Outcome unknown": any other UNAVAILABLE, or TIMEOUT, after it was sent, and whatever a node says so of: a part of a write may be done
// when the rest is refused. Every other class is final at once. The calls:
//
//	read         all that change nothing
//	idempotent   Upsert; DeletePoints and SetPayload by ids: the same bytes twice leave what once leaves. (A change by
//	             another client in between may be undone, as with any two writes without an order.)
//	once         DeletePoints and SetPayload by filter, which may match other points the second time; creating,
//	             updating and deleting collections and aliases, for which Settle looks before it repeats
//
// A request that a node refuses with the hint "elsewhere", such as to remove that node, goes to the endpoints that were not asked yet.
//
// Each attempt goes to the next endpoint; when all were tried, a growing, random pause comes first. Config.MaxAttempts
// bounds the attempts, the context bounds the whole.
//
// # Endpoints
//
// A Client stays with one endpoint until that fails, because a node lets a client read its own writes at no cost as
// long as the client stays with that node. It is safe for concurrent use.
package client

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
)

// Config says which cluster to drive and how. The zero value of everything but Endpoints is usable.
type Config struct {
	// Endpoints are the gRPC addresses (HOST:PORT) of one or more nodes of one cluster, the preferred one first.
	Endpoints []string

	// APIKey is sent with every call as the metadata "api-key". Empty: none.
	APIKey string

	// TLS turns on TLS. Nil: plain text.
	TLS *TLS

	// Timeout bounds each attempt of a call; the context bounds the call as a whole. Default 10 s: twice the time in
	// which a cluster takes writes again after losing a node, so that a healthy cluster never exceeds it, and short
	// enough that a read leaves a hung node for another one while its caller still waits.
	Timeout time.Duration

	// MaxAttempts bounds how often one call is tried, all endpoints together. Default: twice the number of
	// endpoints, at least 4.
	MaxAttempts int

	// MaxMessageBytes bounds a reply. Default 64 MiB.
	MaxMessageBytes int

	// ReadConsistency is that of Query, Scroll, Count and Get; see Reading, which has it for a part of a program. Default Weak.
	ReadConsistency Consistency

	// UserAgent is put before gRPC's own. Default "ostraka-client".
	UserAgent string

	// Logger hears of endpoints that fail and return. Nil: nobody does.
	Logger hclog.Logger

	// Dialer replaces TCP, for tests. It is given an endpoint as written in Endpoints.
	Dialer func(ctx context.Context, endpoint string) (net.Conn, error)
}

// TLS says how to check the server and, for mutual TLS, who the client is.
type TLS struct {
	CAFile             string // PEM; empty: the system's certificate authorities
	CertFile           string // PEM; with KeyFile, the client's certificate
	KeyFile            string // PEM
	ServerName         string // the name to check instead of the endpoint's host
	InsecureSkipVerify bool   // accept any certificate: for experiments only
}

// Client drives one cluster.
type Client struct {
	config Config
	pool   *pool
}

// New checks config and returns a client. It reads the files of TLS but uses no network: connections are made by the
// first call that needs them.
func New(config Config) (*Client, error) {
	config, err := config.normalized()
	if err != nil {
		return nil, err
	}
	options, err := dialOptions(config)
	if err != nil {
		return nil, err
	}
	p, err := newPool(config, options)
	if err != nil {
		return nil, err
	}
	return &Client{config: config, pool: p}, nil
}

// Close closes the connections and waits until every goroutine of the client has ended. Calls in flight fail.
func (c *Client) Close() error { return c.pool.close() }

// Endpoints returns the endpoints as configured.
func (c *Client) Endpoints() []string { return append([]string(nil), c.config.Endpoints...) }

// Conn returns the connection to the endpoint that calls go to at present, for callers that need a generated stub
// which this package does not wrap. Calls made through it have neither failover nor retries. It is closed by Close.
func (c *Client) Conn() grpc.ClientConnInterface { return c.pool.pick(nil).conn }
