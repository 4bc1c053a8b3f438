package syncer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
)

// selfSigned returns a self-signed certificate for a host.
func selfSigned(t *testing.T, host string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestDialWithTLS(t *testing.T) {
	cert, pool := selfSigned(t, "zk")
	_, others := selfSigned(t, "zk")
	server := func(change func(*tls.Config)) string {
		cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
		change(cfg)
		return listen(t, func(c net.Conn) {
			secure := tls.Server(c, cfg)
			_, _ = io.Copy(secure, secure)
		})
	}
	echoes := server(func(*tls.Config) {})
	for name, test := range map[string]struct {
		server string
		secure *tls.Config
		want   string // the error, empty is none
	}{
		"all is well":              {echoes, &tls.Config{RootCAs: pool, ServerName: "zk"}, ""},
		"another authority":        {echoes, &tls.Config{RootCAs: others, ServerName: "zk"}, "set zk.tls.ca to the authority that signed it"},
		"another name":             {echoes, &tls.Config{RootCAs: pool, ServerName: "zk2"}, "set zk.tls.server_name to a name in the certificate"},
		"the host that is dialled": {echoes, &tls.Config{RootCAs: pool}, "127.0.0.1"},
		"no TLS":                   {listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 \r\n") }), &tls.Config{RootCAs: pool}, "check that the server speaks TLS on this port"},
		"closed":                   {listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }), &tls.Config{RootCAs: pool}, "TLS: "},
		"a certificate is asked for": {
			server(func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }),
			&tls.Config{RootCAs: pool, ServerName: "zk"}, "check zk.tls.cert and zk.tls.key",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Dial(t.Context(), test.server, func() (*tls.Config, error) { return test.secure.Clone(), nil })
			if test.want != "" {
				if err == nil || !strings.Contains(reason(err), test.want) {
					t.Errorf("%v, want %s", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, "ping"); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTLSHandshakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDialer(t, 1)
		near, far := net.Pipe()
		defer far.Close()
		d.connect = connector(func(context.Context, string, string) (net.Conn, error) { return near, nil }, func() (*tls.Config, error) { return &tls.Config{}, nil })
		before := time.Now()
		if err := d.try(); err == nil {
			t.Error("connected")
		}
		if time.Since(before) != serverTimeout {
			t.Errorf("took %v", time.Since(before))
		}
		if d.problems[0] != "cannot connect to zk:2181: timed out" {
			t.Error(d.problems[0])
		}
	})
}

// The authority is renewed while the syncer is connected.
func TestCertificatesAreReadAtEachDial(t *testing.T) {
	first, firstPool := selfSigned(t, "zk")
	second, secondPool := selfSigned(t, "zk")
	var cert atomic.Pointer[tls.Certificate]
	var pool atomic.Pointer[x509.CertPool]
	cert.Store(&first)
	pool.Store(firstPool)
	f := newFakeServer()
	f.children["/root/g0"] = []string{"10.0.0.1:80"}
	server := listen(t, func(c net.Conn) {
		f.handle(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*cert.Load()}}))
	})
	c := newClient(t, nil, []string{server}, 1)
	o := c.options
	o.Secure = func() (*tls.Config, error) {
		if pool.Load() == nil {
			return nil, errors.New("the file is gone")
		}
		return &tls.Config{RootCAs: pool.Load(), ServerName: "zk"}, nil
	}
	c.Syncer = New(o)
	c.start()
	defer c.stop()
	until(t, "a session", func() bool { return c.ConnectionStatus().Connected })

	pool.Store(nil)
	f.drop(serve)
	until(t, "the problem", func() bool { return strings.Contains(c.ConnectionStatus().Problem, "the file is gone") })
	cert.Store(&second)
	pool.Store(secondPool)
	until(t, "a session with the renewed certificate", func() bool { return c.ConnectionStatus().Connected })
}

// The names in a certificate may contain anything and appear in the error before its
// signature is verified.
func TestCertificateErrorIsOneShortLine(t *testing.T) {
	names := []string{"\x1b[2J", "a\nlevel=ERROR", strings.Repeat("x", 60_000)}
	err := &tlsError{x509.HostnameError{Certificate: &x509.Certificate{DNSNames: names}, Host: "zk"}}
	text := err.Error()
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || len(text) > 600 || !strings.HasSuffix(text, "zk.tls.server_name to a name in the certificate") {
		t.Errorf("%.700q", text)
	}
}
