package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNewRefusesWrongConfigurations(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.pem")
	if err := os.WriteFile(garbage, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{"a:1"}
	for _, c := range []struct {
		config client.Config
		says   string
	}{
		{client.Config{}, "at least one node"},
		{client.Config{Endpoints: []string{"localhost"}}, "HOST:PORT"},
		{client.Config{Endpoints: []string{":6334"}}, "HOST:PORT"},
		{client.Config{Endpoints: []string{"http://a:1"}}, "without a scheme"},
		{client.Config{Endpoints: []string{"a:0"}}, "1 to 65535"},
		{client.Config{Endpoints: []string{"a:65536"}}, "1 to 65535"},
		{client.Config{Endpoints: []string{"a:grpc"}}, "1 to 65535"},
		{client.Config{Endpoints: []string{"a:1", "b:1", "a:1"}}, "given twice"},
		{client.Config{Endpoints: good, Timeout: -1}, "timeout"},
		{client.Config{Endpoints: good, MaxAttempts: -1}, "max attempts"},
		{client.Config{Endpoints: good, MaxMessageBytes: -1}, "max message bytes"},
		{client.Config{Endpoints: good, APIKey: "secret\n"}, "API key"},
		{client.Config{Endpoints: good, UserAgent: "ö"}, "user agent"},
		{client.Config{Endpoints: good, TLS: &client.TLS{CAFile: filepath.Join(dir, "none")}}, "read CA file"},
		{client.Config{Endpoints: good, TLS: &client.TLS{CAFile: garbage}}, "holds no certificate"},
		{client.Config{Endpoints: good, TLS: &client.TLS{CertFile: garbage}}, "together"},
		{client.Config{Endpoints: good, TLS: &client.TLS{CertFile: garbage, KeyFile: garbage}}, "load the client's certificate"},
	} {
		got, err := client.New(c.config)
		if err == nil {
			t.Errorf("%+v was accepted", c.config)
			_ = got.Close()
			continue
		}
		if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: got %v, want it to say %q", c.config, err, c.says)
		}
	}
}

func TestKeyAndUserAgentAreSentWithEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{APIKey: "s3cret", UserAgent: "provider/1.2"}, "a:1")
		a.on(list, func(_ context.Context, nth int) error {
			if nth == 1 {
				return status.Error(codes.Unavailable, "") // so that a probe follows
			}
			return nil
		})
		mustList(t, c)
		elapse(time.Second)
		if len(a.requests(probe)) == 0 {
			t.Error("no probe")
		}
		for _, s := range a.requests("") {
			if got := s.metadata.Get("api-key"); len(got) != 1 || got[0] != "s3cret" {
				t.Errorf("%s: api-key %v", s.method, got)
			}
			if got := s.metadata.Get("user-agent"); len(got) != 1 || !strings.HasPrefix(got[0], "provider/1.2") {
				t.Errorf("%s: user-agent %v", s.method, got)
			}
		}
	})
}

func TestReplyLargerThanTheLimitIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.node("a:1")
		c := n.client(client.Config{MaxMessageBytes: 1}, "a:1")
		if _, err := c.ListCollections(t.Context()); client.ClassOf(err) != client.ClassExhausted {
			t.Errorf("got %v", err)
		}
	})
}

// authority makes certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, "ca")
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// sign writes name.crt and name.key.
func (a *authority) sign(template *x509.Certificate, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".crt", "CERTIFICATE", der)
	a.write(name+".key", "EC PRIVATE KEY", keyDER)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// serveTLS starts a node on loopback that asks for client certificates of the authority.
func (a *authority) serveTLS() string {
	a.t.Helper()
	a.sign(&x509.Certificate{DNSNames: []string{"node.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, "server")
	a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, "client")
	pair, err := tls.LoadX509KeyPair(a.path("server.crt"), a.path("server.key"))
	if err != nil {
		a.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	n := &node{}
	n.server = grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert,
	})))
	n.register()
	go n.server.Serve(listener)
	a.t.Cleanup(n.server.Stop)
	return listener.Addr().String()
}

func TestTLSChecksTheServerAndProvesTheClient(t *testing.T) {
	a, other := newAuthority(t, "ours"), newAuthority(t, "other")
	address := a.serveTLS()
	full := client.TLS{CAFile: a.path("ca.crt"), CertFile: a.path("client.crt"), KeyFile: a.path("client.key"), ServerName: "node.test"}
	for _, c := range []struct {
		name   string
		change func(*client.TLS)
		good   bool
	}{
		{"all right", func(*client.TLS) {}, true},
		{"another authority", func(x *client.TLS) { x.CAFile = other.path("ca.crt") }, false},
		{"another name", func(x *client.TLS) { x.ServerName = "evil.test" }, false},
		{"any certificate", func(x *client.TLS) { x.ServerName, x.CAFile, x.InsecureSkipVerify = "evil.test", "", true }, true},
		{"no client certificate", func(x *client.TLS) { x.CertFile, x.KeyFile = "", "" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := full
			c.change(&options)
			cl, err := client.New(client.Config{Endpoints: []string{address}, TLS: &options, MaxAttempts: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			_, err = cl.ListCollections(t.Context())
			if (err == nil) != c.good {
				t.Errorf("got %v", err)
			}
			if !c.good && !client.IsUnavailable(err) {
				t.Errorf("got class %s", client.ClassOf(err))
			}
		})
	}
}

func TestPlainTextToATLSServerFails(t *testing.T) {
	address := newAuthority(t, "ours").serveTLS()
	c, err := client.New(client.Config{Endpoints: []string{address}, MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.ListCollections(t.Context()); !client.IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}
