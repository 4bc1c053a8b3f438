//go:build deploy

package deploy

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// object is one of a file's.
type object struct{ kind, namespace, text string }

var (
	ofKind      = regexp.MustCompile(`(?m)^kind: (\w+)$`)
	ofNamespace = regexp.MustCompile(`(?m)^  namespace: (\S+)$`)
)

// objects returns those of a file of build/deploy/kubernetes, with one text in place of
// another, which must be there unless it is empty.
func objects(t *testing.T, file, old, text string) []object {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "build", "deploy", "kubernetes", file))
	must(t, err)
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %q", file, old)
	}
	if old != "" {
		data = []byte(strings.Replace(string(data), old, text, 1))
	}
	return split(string(data))
}

// split returns the objects of a text.
func split(text string) (all []object) {
	for document := range strings.SplitSeq("\n"+text, "\n---\n") {
		kind := ofKind.FindStringSubmatch(document)
		if kind == nil {
			continue
		}
		o := object{text: document + "\n", kind: kind[1]} // the separator took it
		if match := ofNamespace.FindStringSubmatch(document); match != nil {
			o.namespace = match[1]
		}
		all = append(all, o)
	}
	return all
}

// path is where objects of its kind are created.
func (o object) path() string {
	of := map[string]string{
		"Namespace": "/api/v1/namespaces", "ConfigMap": "/api/v1/namespaces/%s/configmaps", "Service": "/api/v1/namespaces/%s/services",
		"Deployment": "/apis/apps/v1/namespaces/%s/deployments", "DaemonSet": "/apis/apps/v1/namespaces/%s/daemonsets",
		"PodDisruptionBudget": "/apis/policy/v1/namespaces/%s/poddisruptionbudgets", "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies",
		"ServiceMonitor": "/apis/monitoring.coreos.com/v1/namespaces/%s/servicemonitors",
	}[o.kind]
	if o.namespace == "" {
		return of
	}
	return fmt.Sprintf(of, o.namespace)
}

// refuses returns what the server says against an object: errors, unknown fields, and the
// warnings of Pod Security. An object of a namespace must be in one that exists.
func (s *apiserver) refuses(o object) string {
	s.t.Helper()
	_, against := s.takes(o)
	return against
}

// takes returns what the server makes of an object, which has all defaults then, and what
// it says against it. It creates namespaces, and nothing else.
func (s *apiserver) takes(o object) (made, against string) {
	s.t.Helper()
	path := o.path() + "?fieldValidation=Strict"
	if o.kind != "Namespace" {
		path += "&dryRun=All"
	}
	code, warnings, answer, err := s.do(http.MethodPost, path, []byte(o.text))
	must(s.t, err)
	switch {
	case o.kind == "Namespace" && code == http.StatusConflict: // of an earlier file
		return "", ""
	case code != http.StatusCreated:
		return "", fmt.Sprint(code, " ", answer)
	}
	return answer, strings.Join(warnings, "\n")
}

// The configuration in the manifests is valid.
func TestConfigurationOfTheManifestsIsValid(t *testing.T) {
	for _, file := range []string{"deployment.yaml", "daemonset.yaml"} {
		for _, o := range objects(t, file, "", "") {
			if o.kind != "ConfigMap" {
				continue
			}
			dir := home(t)
			_, configuration, _ := strings.Cut(o.text, "config.json: |\n")
			path := filepath.Join(dir, "config.json")
			must(t, os.WriteFile(path, []byte(configuration), 0o600))
			cmd := exec.CommandContext(t.Context(), shared.binary, "check", "--config", path, "--run-dir", dir, "--state-dir", dir, "--http-addr", "127.0.0.1:0")
			cmd.Env = []string{"PATH=" + filepath.Dir(shared.haproxy.Path), "HOME=" + dir, rig.EndsAtOnce}
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", file, err, output)
			}
		}
	}
}

// Kubernetes accepts every object of the files, whose pods are as restricted as their
// namespace wants, and would not if something in them were wrong.
func TestKubernetesAcceptsTheManifests(t *testing.T) {
	s := newAPIServer(t)
	for _, test := range []struct{ file, old, text, says string }{
		{file: "deployment.yaml"},
		{file: "daemonset.yaml"},
		{"deployment.yaml", "containerPort: 8080", "containerPortx: 8080", "containerPortx"},
		{"deployment.yaml", "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 4", "terminationGracePeriodSeconds"},
		{"deployment.yaml", "matchLabels: {app: haproxy-zk}", "matchLabels: {app: other}", "selector"},
		{"deployment.yaml", "      automountServiceAccountToken: false", "      automountServiceAccountToken: false\n      hostNetwork: true", "host namespaces"},
		{"deployment.yaml", "drop: [ALL]", "drop: [NET_RAW]", "unrestricted capabilities"},
		{"daemonset.yaml", "maxSurge: 0, maxUnavailable: 1", "maxSurge: 0, maxUnavailable: 0", "maxUnavailable"},
	} {
		var said string
		for _, o := range objects(t, test.file, test.old, test.text) {
			said += s.refuses(o)
		}
		if test.says == "" && said != "" || !strings.Contains(said, test.says) {
			t.Errorf("%s with %q: said %q, want %q", test.file, test.text, said, test.says)
		}
	}
}
