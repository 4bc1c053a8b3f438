package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pair returns a self-signed certificate and its key, in PEM.
func pair(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// tlsFiles returns the content of the tests' TLS files.
func tlsFiles(t *testing.T) func(string) ([]byte, error) {
	t.Helper()
	cert, key := pair(t)
	_, other := pair(t)
	files := map[string][]byte{
		"/tls/ca.pem": cert, "/tls/cert.pem": cert, "/tls/key.pem": key, "/tls/other.pem": other, "/tls/both.pem": append(cert, key...), "/tls/odd.pem": []byte("canary"),
	}
	return func(name string) ([]byte, error) {
		data, ok := files[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return data, nil
	}
}

func TestTLS(t *testing.T) {
	files := tlsFiles(t)
	for name, test := range map[string]struct {
		variables, file string
		want            TLS
		pairs           int
		authorities     bool
	}{
		"the system's authorities": {"ZK_TLS_SERVER_NAME=zk", `{"server_name": "zk"}`, TLS{ServerName: "zk"}, 0, false},
		"an authority":             {"ZK_TLS_CA=/tls/ca.pem", `{"ca": "/tls/ca.pem"}`, TLS{CA: "/tls/ca.pem"}, 0, true},
		"everything": {
			"ZK_TLS_CA=/tls/ca.pem\nZK_TLS_CERT=/tls/cert.pem\nZK_TLS_KEY=/tls/key.pem\nZK_TLS_SERVER_NAME=10.0.0.1",
			`{"ca": "/tls/ca.pem", "cert": "/tls/cert.pem", "key": "/tls/key.pem", "server_name": "10.0.0.1"}`,
			TLS{"/tls/ca.pem", "/tls/cert.pem", "/tls/key.pem", "10.0.0.1"},
			1, true,
		},
		"one file": {
			"ZK_TLS_CERT=/tls/both.pem\nZK_TLS_KEY=/tls/both.pem", `{"cert": "/tls/both.pem", "key": "/tls/both.pem"}`,
			TLS{Cert: "/tls/both.pem", Key: "/tls/both.pem"},
			1, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := environment()
			env.ReadFile = files
			fromFile, _, err := Load("f", []byte(`{"default": {"zk.addr": "zk1:2181", "groups": {}, "zk.tls": `+test.file+`}}`), env)
			if err != nil {
				t.Fatal(err)
			}
			fromVariables, _, err := FromEnvironment(env, parseVariables("ZK_ADDR=zk1:2181\n"+test.variables))
			if err != nil {
				t.Fatal(err)
			}
			for _, cfg := range []*Config{fromFile, fromVariables} {
				got := cfg.Proxies[0].ZooKeeper.TLS
				if diff := cmp.Diff(&test.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				loaded, err := got.Load(files)
				if err != nil {
					t.Fatal(err)
				}
				if loaded.MinVersion != tls.VersionTLS12 || loaded.InsecureSkipVerify || loaded.ServerName != test.want.ServerName ||
					len(loaded.Certificates) != test.pairs || (loaded.RootCAs != nil) != test.authorities {
					t.Errorf("loaded as %+v", loaded)
				}
			}
		})
	}
	if p := must(t, `{"web": {"zk.addr": "zk1:2181", "groups": {"*": {}}, "zk.tls": {}}}`)[0]; p.ZooKeeper.TLS == nil {
		t.Error("an empty zk.tls leaves the connection in the clear")
	}
	if p := must(t, `{"web": {"zk.addr": "zk1:2181", "groups": {"*": {}}}}`)[0]; p.ZooKeeper.TLS != nil {
		t.Error("TLS without configuration")
	}
}

// The error names the file that is wrong, but not its content.
func TestInvalidTLSFiles(t *testing.T) {
	for given, want := range map[string]string{
		`"ca": "/tls/nowhere.pem"`:                               `web.zk.tls.ca: "/tls/nowhere.pem" cannot be read: open /tls/nowhere.pem: file does not exist: correct`,
		`"ca": "/tls/odd.pem"`:                                   `web.zk.tls.ca: "/tls/odd.pem" holds no certificate in PEM: correct`,
		`"cert": "/tls/odd.pem", "key": "/tls/key.pem"`:          `web.zk.tls.key: "/tls/key.pem" does not match "/tls/odd.pem": tls: `,
		`"cert": "/tls/cert.pem", "key": "/tls/other.pem"`:       `web.zk.tls.key: "/tls/other.pem" does not match "/tls/cert.pem": tls: private key does not match public key`,
		`"cert": "/tls/cert.pem", "key": "/tls/odd.pem"`:         `web.zk.tls.key: "/tls/odd.pem" does not match "/tls/cert.pem": tls: `,
		`"cert": "/tls/nowhere.pem", "key": "/tls/nowhere2.pem"`: `web.zk.tls.cert: "/tls/nowhere.pem" cannot be read: `,
	} {
		env := environment()
		env.ReadFile = tlsFiles(t)
		_, _, err := Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "groups": {}, "zk.tls": {`+given+`}}}`), env)
		problems, isProblems := errors.AsType[*Problems](err)
		if !isProblems || len(*problems) != 1 || !strings.HasPrefix(problems.Error(), "f:1: "+want) || strings.Contains(problems.Error(), "canary") {
			t.Errorf("%s: %v, want %s", given, err, want)
		}
	}
}

func TestTLSFilesAreNotOverwritten(t *testing.T) {
	env := environment()
	env.ReadFile = tlsFiles(t)
	_, _, err := Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "groups": {}, "conf_file": "/tls/ca.pem", "zk.tls": {"ca": "/tls/ca.pem"}}}`), env)
	if err == nil || !strings.Contains(err.Error(), `file "/tls/ca.pem" is already claimed by web.conf_file`) {
		t.Errorf("got %v", err)
	}
}
