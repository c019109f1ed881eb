package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

const (
	probeFirst   = 200 * time.Millisecond
	probeMax     = 5 * time.Second
	probeTimeout = 2 * time.Second
)

// endpoint is one address with its connection and stubs.
type endpoint struct {
	address     string
	conn        *grpc.ClientConn
	collections qdrant.CollectionsClient
	points      qdrant.PointsClient
	qdrant      qdrant.QdrantClient
	cluster     clusterpb.ClusterClient
	health      healthpb.HealthClient
}

func newEndpoint(address string, conn *grpc.ClientConn) *endpoint {
	return &endpoint{
		address:     address,
		conn:        conn,
		collections: qdrant.NewCollectionsClient(conn),
		points:      qdrant.NewPointsClient(conn),
		qdrant:      qdrant.NewQdrantClient(conn),
		cluster:     clusterpb.NewClusterClient(conn),
		health:      healthpb.NewHealthClient(conn),
	}
}

// pool keeps the endpoints and knows which of them to use. An endpoint that failed is avoided until a probe finds it
// healthy again; the probe is a goroutine that runs only as long as its endpoint is avoided.
type pool struct {
	config    Config
	endpoints []*endpoint // in order of configuration; never changed

	stop   context.CancelFunc
	stopMe context.Context // ends the probes
	probes sync.WaitGroup

	mu struct {
		sync.Mutex
		current int                // index of the endpoint in use
		avoided map[*endpoint]bool // each has a probe
		closed  bool
	}
}

func newPool(config Config, options []grpc.DialOption) (*pool, error) {
	p := &pool{config: config}
	p.stopMe, p.stop = context.WithCancel(context.Background())
	p.mu.avoided = map[*endpoint]bool{}
	for _, address := range config.Endpoints {
		target := "dns:///" + address
		if config.Dialer != nil {
			target = "passthrough:///" + address
		}
		conn, err := grpc.NewClient(target, options...)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.endpoints = append(p.endpoints, newEndpoint(address, conn))
	}
	return p, nil
}

// pick returns the endpoint to try next: the current one, or the first healthy one after it that tried does not hold,
// or the first avoided one (what was seen of it may be old). With all tried it returns nil.
func (p *pool) pick(tried map[*endpoint]bool) *endpoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	var last *endpoint
	for i := range p.endpoints {
		e := p.endpoints[(p.mu.current+i)%len(p.endpoints)]
		switch {
		case tried[e]:
		case !p.mu.avoided[e]:
			return e
		case last == nil:
			last = e
		}
	}
	return last
}

// use makes e the endpoint that calls go to first.
func (p *pool) use(e *endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.endpoints {
		if p.endpoints[i] == e {
			p.mu.current = i
		}
	}
}

// avoid marks e as failed and starts its probe.
func (p *pool) avoid(e *endpoint, why *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed || p.mu.avoided[e] {
		return
	}
	p.mu.avoided[e] = true
	p.config.Logger.Warn("endpoint is avoided until it is healthy again", "endpoint", e.address, "error", why.Message)
	p.probes.Go(func() { p.probe(e) })
}

// probe asks e for its health, ever more rarely, until it is well or the pool closes.
func (p *pool) probe(e *endpoint) {
	for wait := probeFirst; ; wait = min(2*wait, probeMax) {
		if !pause(p.stopMe, jitter(wait)) {
			return
		}
		if err := p.check(e); err != nil {
			continue
		}
		p.mu.Lock()
		delete(p.mu.avoided, e)
		p.mu.Unlock()
		p.config.Logger.Info("endpoint is healthy again", "endpoint", e.address)
		return
	}
}

func (p *pool) check(e *endpoint) error {
	ctx, cancel := context.WithTimeout(withKey(p.stopMe, p.config.APIKey), probeTimeout)
	defer cancel()
	reply, err := e.health.Check(ctx, &healthpb.HealthCheckRequest{})
	if status.Code(err) == codes.Unimplemented {
		_, err = e.qdrant.HealthCheck(ctx, &qdrant.HealthCheckRequest{})
		return err
	}
	if err == nil && reply.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		err = errors.New("not serving")
	}
	return err
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.closed
}

func (p *pool) close() error {
	p.mu.Lock()
	already := p.mu.closed
	p.mu.closed = true
	p.mu.Unlock()
	if already {
		return nil
	}
	p.stop()
	var errs []error
	for _, e := range p.endpoints {
		errs = append(errs, e.conn.Close())
	}
	p.probes.Wait()
	return errors.Join(errs...)
}

// pause waits for d and reports whether it did so in full, ctx not having ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// jitter returns a duration between half of d and d, so that many clients do not come back at one moment.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
