//go:build deploy

package deploy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// apiserver is a real kube-apiserver with its etcd: what it accepts has the schema of
// Kubernetes and passes admission. Nothing runs the pods.
type apiserver struct {
	t   *testing.T
	dir string
	// network is where it runs; nil is that of the test.
	network *rig.Namespace
	addr    string
	token   string
	config  string // a kubeconfig
	client  *http.Client
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://%s", certificate-authority: "%s"}}]
users: [{name: test, user: {token: "%s"}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`

func newAPIServer(t *testing.T) *apiserver {
	t.Helper()
	s := &apiserver{t: t, dir: home(t)}
	s.serve()
	return s
}

// kubernetes returns the path of a program of Kubernetes.
func kubernetes(t *testing.T, name string) string {
	t.Helper()
	tools := os.Getenv("KUBERNETES_TOOLS")
	if tools == "" {
		t.Fatal("KUBERNETES_TOOLS is not set: `make deploy-test` has the command that builds them")
	}
	return filepath.Join(tools, name)
}

// file returns the path of one of the server's files.
func (s *apiserver) file(name string) string { return filepath.Join(s.dir, name) }

// serve starts it, with more flags, and waits until it is ready.
func (s *apiserver) serve(flags ...string) {
	s.t.Helper()
	t, file := s.t, s.file
	s.addr, s.token = fmt.Sprintf("127.0.0.1:%d", port(t)), "token-of-the-test"
	key := s.openssl("genrsa", "2048")
	must(t, os.WriteFile(file("sa.key"), key, 0o600))
	must(t, os.WriteFile(file("sa.pub"), s.openssl("rsa", "-in", file("sa.key"), "-pubout"), 0o600))
	must(t, os.WriteFile(file("tokens.csv"), []byte(s.token+`,test,1,"system:masters"`+"\n"), 0o600))
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", port(t)), fmt.Sprintf("http://127.0.0.1:%d", port(t))
	// The API server holds its port for long if etcd ends first: cleanups run backwards.
	s.start("etcd", "--data-dir", file("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	_, listener, _ := bytes.Cut([]byte(s.addr), []byte(":"))
	s.start("kube-apiserver", append(flags, "--etcd-servers", client, "--bind-address", "127.0.0.1", "--secure-port", string(listener),
		"--cert-dir", file("certs"), "--endpoint-reconciler-type", "none", "--service-cluster-ip-range", "10.96.0.0/16",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", file("sa.pub"), "--service-account-signing-key-file", file("sa.key"),
		"--token-auth-file", file("tokens.csv"), "--authorization-mode", "AlwaysAllow", "--disable-admission-plugins", "ServiceAccount")...)
	s.config = file("config")
	must(t, os.WriteFile(s.config, fmt.Appendf(nil, kubeconfig, s.addr, file("certs/apiserver.crt"), s.token), 0o600))
	must(t, rig.Eventually(t.Context(), 3*within, func() error {
		if err := s.trust(file("certs/apiserver.crt")); err != nil {
			return err
		}
		code, _, body, err := s.do(http.MethodGet, "/readyz", nil)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("%d %s", code, body)
		}
		return err
	}))
}

func (s *apiserver) openssl(args ...string) []byte {
	s.t.Helper()
	output, err := exec.CommandContext(s.t.Context(), "openssl", args...).Output()
	must(s.t, err)
	return output
}

// start starts a program of Kubernetes.
func (s *apiserver) start(name string, args ...string) *rig.Program {
	s.t.Helper()
	cmd := exec.Command(kubernetes(s.t, name), args...)
	if s.network != nil {
		cmd = s.network.Command(cmd.Path, args...)
	}
	p, err := rig.StartProgram(cmd)
	must(s.t, err)
	s.t.Cleanup(func() {
		p.Stop()
		if s.t.Failed() {
			s.t.Logf("%s said:\n%s", name, lastLines(p.Output()))
		}
	})
	return p
}

// lastLines returns what is worth reading of a long output.
func lastLines(text string) string { return text[max(0, len(text)-20_000):] }

// dial connects to the server from where it runs.
func (s *apiserver) dial(_ context.Context, network, addr string) (net.Conn, error) {
	if s.network == nil {
		return net.DialTimeout(network, addr, callWithin)
	}
	return s.network.Dial(network, addr, callWithin)
}

// callWithin bounds a request to the server.
const callWithin = 10 * time.Second

// trust makes the client trust the certificate that the server has made for itself.
func (s *apiserver) trust(file string) error {
	certificate, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certificate) {
		return errors.New("no certificate yet")
	}
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	s.client = &http.Client{Timeout: callWithin, Transport: &http.Transport{DialContext: s.dial, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	return nil
}

// do sends a request, whose body is YAML, and returns the answer with its warnings.
func (s *apiserver) do(method, path string, body []byte) (code int, warnings []string, answer string, err error) {
	request, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+s.addr+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, "", err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/yaml")
	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header.Values("Warning"), string(text), err
}
