package query

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
)

const (
	maxToken = 4 << 10
	// maxPEM is ample for a certificate with its intermediates.
	maxPEM = 1 << 20
)

// tokenForm is that of RFC 6750, section 2.1.
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// AccessFiles are the files that say who may ask the port, and how. Empty means none;
// Certificate and Key are both set or both empty.
type AccessFiles struct {
	// Token is a file of one line.
	Token string
	// Certificate, with its intermediates, and Key are in PEM.
	Certificate, Key string
}

// Access is what [AccessFiles] contain. Its zero value lets everybody ask in clear text.
// It is immutable.
type Access struct {
	token       string
	certificate *tls.Certificate
}

// Load reads the files, which may block. Its error names the variable, never the token.
func (f AccessFiles) Load() (*Access, error) {
	var a Access
	if (f.Certificate == "") != (f.Key == "") {
		return nil, errors.New("HTTP_TLS_CERT and HTTP_TLS_KEY belong together: set both, or none")
	}
	if f.Token != "" {
		text, err := readAtMost(f.Token, maxToken)
		if err != nil {
			return nil, fmt.Errorf("HTTP_TOKEN_FILE: %w", err)
		}
		a.token = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		if !tokenForm.MatchString(a.token) {
			return nil, fmt.Errorf("HTTP_TOKEN_FILE: %s holds no token: give one line of letters, digits and - . _ ~ + /", f.Token)
		}
	}
	if f.Certificate != "" {
		cert, err := readAtMost(f.Certificate, maxPEM)
		if err != nil {
			return nil, fmt.Errorf("HTTP_TLS_CERT: %w", err)
		}
		key, err := readAtMost(f.Key, maxPEM)
		if err != nil {
			return nil, fmt.Errorf("HTTP_TLS_KEY: %w", err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("HTTP_TLS_CERT, HTTP_TLS_KEY: %s and %s are no pair: %w", f.Certificate, f.Key, err)
		}
		a.certificate = &pair
	}
	return &a, nil
}

// readAtMost reads a file of at most n bytes.
func readAtMost(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, n+1))
	if err == nil && int64(len(text)) > n {
		err = fmt.Errorf("%s has more than %d bytes", path, n)
	}
	return text, err
}

// allows reports whether a request may be answered. How long it takes depends on the
// lengths of the tokens at most, not on how much of them is equal.
func (a *Access) allows(h http.Header) bool {
	if a.token == "" {
		return true
	}
	token, is := tokenOf(h.Get("Authorization"))
	given, wanted := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(a.token))
	return subtle.ConstantTimeCompare(given[:], wanted[:]) == 1 && is
}

// tokenOf returns the token of an Authorization header, as Bearer, or as Basic with any
// user name, which is how a browser gives it. is reports whether the header has one.
func tokenOf(authorization string) (token string, is bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	token = strings.TrimLeft(token, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return token, strings.EqualFold(scheme, "Bearer")
	}
	text, err := base64.StdEncoding.DecodeString(token)
	_, password, is := strings.Cut(string(text), ":")
	return password, is && err == nil
}

// encryption returns the TLS configuration of the server, whose certificate is that of
// the latest Access; nil if connections are in clear text.
func (s *Server) encryption() *tls.Config {
	if s.access.Load().certificate == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.access.Load().certificate, nil
		},
	}
}
