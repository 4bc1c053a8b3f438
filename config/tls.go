package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// tlsPrefix begins the names of the keys of zk.tls in the reference.
const tlsPrefix = "zk.tls."

// TLS configures the connection to ZooKeeper. The files are in PEM.
type TLS struct {
	// CA is the file of trusted authorities; empty means the system's.
	CA string
	// Cert and Key are both set or both empty.
	Cert, Key string
	// ServerName is the name expected in the servers' certificates; empty means the host of
	// the server that is dialed.
	ServerName string
}

// fileError is an error about one of the files.
type fileError struct {
	key  string // as in ca
	path string
	err  error
}

func (e *fileError) Error() string { return fmt.Sprintf("%q %v", e.path, e.err) }

func (e *fileError) Unwrap() error { return e.err }

// Load reads the files and returns a client configuration for TLS 1.2 or later, which the
// caller owns. The error names a file that cannot be read or has the wrong content. It
// may be called often, so that renewed files are used.
func (t TLS) Load(readFile func(string) ([]byte, error)) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	read := func(key, path string) ([]byte, error) {
		data, err := readFile(path)
		if err != nil {
			return nil, &fileError{key, path, fmt.Errorf("cannot be read: %w", err)}
		}
		return data, nil
	}
	if t.CA != "" {
		data, err := read("ca", t.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(data) {
			return nil, &fileError{"ca", t.CA, errors.New("holds no certificate in PEM")}
		}
	}
	if t.Cert == "" {
		return cfg, nil
	}
	cert, err := read("cert", t.Cert)
	if err != nil {
		return nil, err
	}
	key, err := read("key", t.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &fileError{"key", t.Key, fmt.Errorf("does not match %q: %w", t.Cert, err)}
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

func serverName() form[string] {
	return form[string]{
		give: "a host's name or address",
		parse: func(text string) (string, error) {
			if !hostName.MatchString(text) && !isAddress(text) {
				return "", fmt.Errorf("%q is not a host", text)
			}
			return text, nil
		},
	}
}

// readTLS reads zk.tls; nil means no TLS.
func (o *object) readTLS() *TLS {
	o.rejectFlat("zk.tls", "ca", "cert", "key", "server_name")
	v := o.get("zk.tls", "")
	if v.missing() {
		return nil
	}
	inner, ok := o.object(v, `an object, as in {"ca": "/etc/zookeeper/ca.pem"}`)
	if !ok {
		return nil
	}
	before := len(o.errors)
	t := &TLS{
		CA:         inner.sharedFile("ca"),
		Cert:       inner.sharedFile("cert"),
		Key:        inner.sharedFile("key"),
		ServerName: read(inner, "server_name", serverName(), ""),
	}
	cert, key := inner.get("cert", ""), inner.get("key", "")
	if key.missing() && !cert.missing() {
		inner.require("key", "the file of the private key that belongs to the certificate")
	}
	if cert.missing() && !key.missing() {
		inner.require("cert", "the file of the certificate that belongs to the key")
	}
	inner.finish()
	if len(o.errors) > before {
		return t
	}
	_, err := t.Load(o.env.ReadFile)
	if wrong, isFile := errors.AsType[*fileError](err); isFile {
		v := inner.get(wrong.key, "")
		o.errorf(v.at, v.key, "%v: correct the path or the file", err)
	}
	return t
}
