//go:build deploy

package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// chart is a copy of the one in build/deploy/helm, in a directory with the files that the
// documentation names.
type chart struct {
	t   *testing.T
	dir string
}

func newChart(t *testing.T) *chart {
	t.Helper()
	c := &chart{t: t, dir: home(t)}
	must(t, os.CopyFS(c.dir, os.DirFS("../../build/deploy/helm")))
	for name, text := range map[string]string{
		"config.json": `{"web": {"zk.addr": "zk1:2181", "dir": "/srv/services", "template": "/etc/haproxy-zk/haproxy.template", "groups": {"*": {}}}}`,
		"web.cfg":     rig.SeedTemplate,
		"more.yaml":   "services:\n  web: [10.0.0.5:8080, 10.0.0.6:8080]\nsecrets: [zookeeper]\npodAnnotations: {a: b}\n",
	} {
		must(t, os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600))
	}
	return c
}

// helm returns the path of Helm.
func helm(t *testing.T) string {
	t.Helper()
	program := os.Getenv("HELM")
	if program == "" {
		t.Fatal("HELM is not set: HELM=$(build/tools/tool helm)/helm")
	}
	return program
}

// helm runs a command of Helm where the chart is, and returns what it printed.
func (c *chart) helm(args ...string) (string, error) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), helm(c.t), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("helm %s: %w\n%s%s", strings.Join(args, " "), err, output, &stderr)
	}
	return string(output), err
}

// documented returns the arguments of every `helm template` of the documentation.
func documented(t *testing.T) (all [][]string) {
	t.Helper()
	data, err := os.ReadFile("../../docs/deploy/kubernetes.md")
	must(t, err)
	for line := range strings.Lines(string(data)) {
		if command, ok := strings.CutPrefix(line, "    helm template "); ok {
			command, _, _ = strings.Cut(command, " | ")
			all = append(all, append([]string{"template"}, strings.Fields(command)...))
		}
	}
	if len(all) < 4 {
		t.Fatal("the documentation has only", all)
	}
	return all
}

// namespaces creates those of the manifests, which the chart leaves to its users.
func (s *apiserver) namespaces() {
	s.t.Helper()
	for _, file := range []string{"deployment.yaml", "daemonset.yaml"} {
		if said := s.refuses(objects(s.t, file, "", "")[0]); said != "" {
			s.t.Fatal(said)
		}
	}
}

// defineServiceMonitors makes the server know what the operator of Prometheus defines.
func (s *apiserver) defineServiceMonitors() {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "go", "mod", "download", "-json", "github.com/prometheus-operator/prometheus-operator")
	cmd.Dir = "../../build/tools/prometheus-operator"
	output, err := cmd.Output()
	must(s.t, err)
	var module struct{ Dir string }
	must(s.t, json.Unmarshal(output, &module))
	definition, err := os.ReadFile(filepath.Join(module.Dir, "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"))
	must(s.t, err)
	code, _, answer, err := s.do(http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
	if err == nil && code != http.StatusCreated {
		err = errors.New(answer)
	}
	must(s.t, err)
	eventually(s.t, "ServiceMonitors are known", func() error {
		code, _, answer, err := s.do(http.MethodGet, "/apis/monitoring.coreos.com/v1/servicemonitors", nil)
		if err == nil && code != http.StatusOK {
			err = errors.New(answer)
		}
		return err
	})
}

func TestLintFindsNothingInTheChart(t *testing.T) {
	c := newChart(t)
	for _, with := range [][]string{nil, {"-f", "haproxy-zk/values-daemonset.yaml"}, {"--set", "config=,variables.ZK_ADDR=zk1:2181"}} {
		if _, err := c.helm(append([]string{"lint", "--strict", "haproxy-zk"}, with...)...); err != nil {
			t.Error(err)
		}
	}
}

// Kubernetes accepts what the documented commands make of the chart, with pods as
// restricted as their namespace wants, and haproxy-zk the configuration.
func TestKubernetesAcceptsTheChart(t *testing.T) {
	s, c := newAPIServer(t), newChart(t)
	s.namespaces()
	s.defineServiceMonitors()
	for _, args := range documented(t) {
		text, err := c.helm(args...)
		must(t, err)
		var made []string
		for _, o := range split(text) {
			object, said := s.takes(o)
			if said != "" {
				t.Errorf("%s: %s: %s", args, o.kind, said)
			}
			made = append(made, object)
		}
		if output, err := c.check(made); err != nil {
			t.Errorf("%s: %v\n%s", args, err, output)
		}
	}
}

// check runs `haproxy-zk check` with the files and variables of a pod.
func (c *chart) check(objects []string) (string, error) {
	c.t.Helper()
	dir := home(c.t)
	here := strings.NewReplacer("/etc/haproxy-zk/", dir+"/", "/srv/services", dir)
	env := []string{"PATH=" + filepath.Dir(shared.haproxy.Path), "HOME=" + dir, rig.EndsAtOnce}
	args := []string{"check", "--run-dir", dir, "--state-dir", dir, "--http-addr", "127.0.0.1:0"}
	for _, text := range objects {
		var o struct {
			Kind string
			Data map[string]string
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Env []struct{ Name, Value string }
						}
					}
				}
			}
		}
		must(c.t, json.Unmarshal([]byte(text), &o))
		for name, text := range o.Data {
			must(c.t, os.WriteFile(filepath.Join(dir, name), []byte(here.Replace(text)), 0o600))
			if name == "config.json" {
				args = append(args, "--config", filepath.Join(dir, name))
			}
		}
		for _, container := range o.Spec.Template.Spec.Containers {
			for _, variable := range container.Env {
				env = append(env, variable.Name+"="+here.Replace(variable.Value))
			}
		}
	}
	cmd := exec.CommandContext(c.t.Context(), shared.binary, args...)
	cmd.Env = env
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// ofContent is the name of a chart's ConfigMap.
var ofContent = regexp.MustCompile(`haproxy-zk-[0-9a-f]{10}`)

// The chart with its own values is the manifests: Kubernetes makes the same of both.
func TestChartIsTheManifests(t *testing.T) {
	s, c := newAPIServer(t), newChart(t)
	s.namespaces()
	understood := func(objects []object) map[string]any {
		all := map[string]any{}
		for _, o := range objects {
			if o.kind == "Namespace" {
				continue
			}
			text, said := s.takes(o)
			if said != "" {
				t.Fatal(said)
			}
			all[o.kind] = essence(t, ofContent.ReplaceAllString(text, "haproxy-zk-1"))
		}
		return all
	}
	for file, with := range map[string][]string{
		"deployment.yaml": {"-n", "haproxy-zk"},
		"daemonset.yaml":  {"-n", "haproxy-zk-host", "-f", "haproxy-zk/values-daemonset.yaml"},
	} {
		text, err := c.helm(append([]string{"template", "haproxy-zk", "haproxy-zk"}, with...)...)
		must(t, err)
		manifests, rendered := understood(objects(t, file, "", "")), understood(split(text))
		if diff := cmp.Diff(manifests, rendered); diff != "" {
			t.Errorf("%s (-) and the chart (+) differ:\n%s", file, diff)
		}
	}
}

// essence is an object without what the server chooses, and without what Helm adds.
func essence(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	must(t, json.Unmarshal([]byte(text), &o))
	metadata := o["metadata"].(map[string]any)
	o["metadata"] = map[string]any{"name": metadata["name"], "namespace": metadata["namespace"]}
	delete(o, "status")
	spec, _ := o["spec"].(map[string]any)
	for _, chosen := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
		delete(spec, chosen)
	}
	if ports, ok := spec["ports"].([]any); ok {
		for _, port := range ports {
			delete(port.(map[string]any), "nodePort")
		}
	}
	return o
}

// Values out of range, and values that do not go together, are rejected with the reason.
func TestChartRejectsValues(t *testing.T) {
	c := newChart(t)
	for set, says := range map[string]string{
		"replicas=0":                                      "'/replicas': minimum: got 0, want 1",
		"replicas=two":                                    "'/replicas': got string, want integer",
		"replica=2":                                       "additional properties 'replica' not allowed",
		"kind=StatefulSet":                                "'/kind': value must be one of 'Deployment', 'DaemonSet'",
		"image.pullPolicy=Sometimes":                      "'/image/pullPolicy': value must be one of",
		"image.repository=Upper":                          "'/image/repository': 'Upper' does not match pattern",
		"apiPort=70000":                                   "'/apiPort': maximum: got 70,000, want 65,535",
		"statsPort=80":                                    "'/statsPort': minimum: got 80, want 1,024",
		"listeners[0].port=80":                            "'/listeners/0/port': minimum: got 80, want 1,024",
		"listeners[0].servicePort=0":                      "'/listeners/0/servicePort': minimum: got 0, want 1",
		"preStopSeconds=-1":                               "'/preStopSeconds': minimum: got -1, want 0",
		"terminationGracePeriodSeconds=0":                 "'/terminationGracePeriodSeconds': minimum: got 0, want 1",
		"podDisruptionBudget.maxUnavailable=0":            "'/podDisruptionBudget/maxUnavailable': minimum: got 0, want 1",
		"service.type=ExternalName":                       "'/service/type': value must be one of",
		"serviceMonitor.interval=often":                   "'/serviceMonitor/interval': 'often' does not match pattern",
		"services.web=10.0.0.5:8080":                      "'/services/web': got string, want array",
		"variables.zk_addr=zk1":                           "additional properties 'zk_addr' not allowed",
		"secrets[0]=A_B":                                  "'/secrets/0': 'A_B' does not match pattern",
		"config=":                                         "without config, set variables.ZK_ADDR or services",
		"config=x":                                        "config is not JSON",
		"variables.ZK_ADDR=zk1":                           `config and variables both configure proxies: set config to "", or write "${ZK_ADDR}" in it`,
		"variables.NODE_NAME=a":                           "variables.NODE_NAME: the chart sets it",
		"config=,services.web[0]=a,variables.TEMPLATE=/t": "variables.TEMPLATE: services, template, listeners and statsPort set it",
		"services.web[0]=10.0.0.5:8080":                   `services: no proxy of config has "dir": "/srv/services"`,
		"template=global":                                 `template: no proxy of config has "template"`,
		"listeners[0].name=http,listeners[0].servicePort=80,listeners[0].port=9090": "listeners: no proxy of config has the listener_port 9090",
		"terminationGracePeriodSeconds=13":                                          "it must be more than preStopSeconds (5), stop_delay (0s) and stop_grace (8s) together",
		"config=,variables.ZK_ADDR=z,variables.STOP_DELAY=1m":                       "it must be more than preStopSeconds (5), stop_delay (60s) and stop_grace (8s) together",
		"config=,variables.ZK_ADDR=z,variables.STOP_GRACE=x":                        `stop_grace: "x" is not a duration such as 5s`,
	} {
		if _, err := c.helm("template", "haproxy-zk", "haproxy-zk", "--set", set); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", set, err, says)
		}
	}
}

// A changed configuration replaces the pods, which keep theirs until then, and can be taken
// back. Changed services do not.
func TestHelmRollsOutTheConfigurationOnly(t *testing.T) {
	s, c := newAPIServer(t), newChart(t)
	s.namespaces()
	release := func(command ...string) (template, configuration string) {
		t.Helper()
		_, err := c.helm(append(command, "-n", "haproxy-zk", "--kubeconfig", s.config)...)
		must(t, err)
		var deployment struct {
			Spec struct{ Template json.RawMessage }
		}
		must(t, json.Unmarshal([]byte(s.get("/apis/apps/v1/namespaces/haproxy-zk/deployments/haproxy-zk")), &deployment))
		template = string(deployment.Spec.Template)
		return template, ofContent.FindString(template)
	}
	values := []string{"haproxy-zk", "haproxy-zk", "--set-file", "config=config.json", "--set-file", "template=web.cfg", "-f", "more.yaml"}
	first, before := release(append([]string{"install"}, values...)...)
	same, _ := release(append(append([]string{"upgrade"}, values...), "--set", "services.web={10.0.0.7:8080}")...)
	if diff := cmp.Diff(first, same); diff != "" {
		t.Error("changed services replace the pods:", diff)
	}
	must(t, os.WriteFile(filepath.Join(c.dir, "web.cfg"), []byte(rig.SeedTemplate+"\n# changed\n"), 0o600))
	_, after := release(append([]string{"upgrade"}, values...)...)
	if after == before {
		t.Error("a changed template leaves the pods")
	}
	s.get("/api/v1/namespaces/haproxy-zk/configmaps/" + before)
	if back, _ := release("rollback", "haproxy-zk", "1"); back != first {
		t.Error("not as before:", cmp.Diff(first, back))
	}
	s.get("/api/v1/namespaces/haproxy-zk/configmaps/" + before)
}

// get returns what is at a path.
func (s *apiserver) get(path string) string {
	s.t.Helper()
	code, _, answer, err := s.do(http.MethodGet, path, nil)
	if err == nil && code != http.StatusOK {
		err = errors.New(answer)
	}
	must(s.t, err)
	return answer
}
