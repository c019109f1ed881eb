package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	defaultTimeout         = 10 * time.Second
	defaultMaxMessageBytes = 64 << 20
	minAttempts            = 4

	// connectTimeout is shorter than an attempt, so that an endpoint that swallows packets costs a failover and
	// not the whole attempt.
	connectTimeout = 3 * time.Second

	// reconnectMax bounds how long a returned endpoint can go unnoticed.
	reconnectMax = 5 * time.Second
)

func (c Config) normalized() (Config, error) {
	c.Endpoints = slices.Clone(c.Endpoints)
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = max(minAttempts, 2*len(c.Endpoints))
	}
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = defaultMaxMessageBytes
	}
	if c.UserAgent == "" {
		c.UserAgent = "ostraka-client"
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c, c.validate()
}

func (c Config) validate() error {
	if c.ReadConsistency > Strong {
		return fmt.Errorf("ReadConsistency %d: want Weak, Quorum or Strong", c.ReadConsistency)
	}
	if len(c.Endpoints) == 0 {
		return errors.New("no endpoints: give the gRPC address of at least one node, such as 127.0.0.1:6334")
	}
	for i, e := range c.Endpoints {
		if err := checkEndpoint(e); err != nil {
			return err
		}
		if slices.Contains(c.Endpoints[:i], e) {
			return fmt.Errorf("endpoint %q: given twice", e)
		}
	}
	switch {
	case c.Timeout < 0:
		return fmt.Errorf("timeout %s: must be positive", c.Timeout)
	case c.MaxAttempts < 0:
		return fmt.Errorf("max attempts %d: must be positive", c.MaxAttempts)
	case c.MaxMessageBytes < 0:
		return fmt.Errorf("max message bytes %d: must be positive", c.MaxMessageBytes)
	case !printable(c.APIKey):
		return errors.New("API key: holds a character other than printable ASCII, or ends in white space (a line break from a file?)")
	case !printable(c.UserAgent):
		return errors.New("user agent: holds a character other than printable ASCII")
	}
	return nil
}

func checkEndpoint(e string) error {
	if strings.Contains(e, "://") {
		return fmt.Errorf("endpoint %q: want HOST:PORT without a scheme, such as 127.0.0.1:6334; TLS is an option of its own", e)
	}
	host, port, err := net.SplitHostPort(e)
	if err != nil || host == "" {
		return fmt.Errorf("endpoint %q: want HOST:PORT, such as 127.0.0.1:6334", e)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("endpoint %q: the port must be a number from 1 to 65535", e)
	}
	return nil
}

// printable reports whether s can stand in a header as it is.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s == strings.TrimSpace(s)
}

func dialOptions(c Config) ([]grpc.DialOption, error) {
	creds := insecure.NewCredentials()
	if c.TLS != nil {
		config, err := c.TLS.config()
		if err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(config)
	}
	connect := backoff.DefaultConfig
	connect.BaseDelay = 200 * time.Millisecond
	connect.MaxDelay = reconnectMax
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithUserAgent(c.UserAgent),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(c.MaxMessageBytes)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: connect, MinConnectTimeout: connectTimeout}),
		// Pings only while calls wait, and not oftener than the strictest servers allow: they end calls to a node
		// that vanished without closing its connections.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		// Retries are ours: a policy handed out by name resolution must not add its own.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithStatsHandler(marker{}),
	}
	if c.Dialer != nil {
		options = append(options, grpc.WithContextDialer(c.Dialer))
	}
	return options, nil
}

func (t *TLS) config() (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify,
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("TLS: read CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("TLS: CA file %s: holds no certificate in PEM form", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("TLS: the client's certificate and key must be given together")
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("TLS: load the client's certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
