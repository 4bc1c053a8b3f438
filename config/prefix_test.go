package config

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResolve(t *testing.T) {
	for _, tt := range []struct {
		what, environment, resolved string
		warnings                    []string
	}{
		{what: "short names", environment: "ZK_ADDR=a:1\nHTTP_ADDR=:1", resolved: "ZK_ADDR=a:1\nHTTP_ADDR=:1"},
		{
			what: "full names", environment: "HAPROXY_ZK_ZK_ADDR=a:1\nHAPROXY_ZK_HTTP_ADDR=:1",
			resolved: "HAPROXY_ZK_ZK_ADDR=a:1\nHAPROXY_ZK_HTTP_ADDR=:1\nZK_ADDR=a:1\nHTTP_ADDR=:1",
		},
		{
			what: "the full name wins", environment: "HAPROXY_ZK_MODE=tcp\nMODE=debug",
			resolved: "HAPROXY_ZK_MODE=tcp\nMODE=tcp",
		},
		{what: "an empty one is none", environment: "HAPROXY_ZK_MODE=\nMODE=tcp", resolved: "HAPROXY_ZK_MODE=\nMODE=tcp"},
		{
			what: "a service of Kubernetes named admin", environment: "ADMIN_PORT=tcp://10.0.0.1:80\nADMIN_SERVICE_PORT=80\nADMIN_PORT_80_TCP_ADDR=10.0.0.1",
			resolved: "ADMIN_SERVICE_PORT=80\nADMIN_PORT_80_TCP_ADDR=10.0.0.1",
			warnings: []string{"environment: ADMIN_PORT: ignored, because it describes a service of Kubernetes or a link of Docker: set HAPROXY_ZK_ADMIN_PORT if you mean haproxy-zk's"},
		},
		{
			what: "such a service beside our port", environment: "LISTENER_PORT=tcp://10.0.0.1:80\nHAPROXY_ZK_LISTENER_PORT=81",
			resolved: "LISTENER_PORT=81\nHAPROXY_ZK_LISTENER_PORT=81",
			warnings: []string{"environment: LISTENER_PORT: ignored, because it describes a service of Kubernetes or a link of Docker: set HAPROXY_ZK_LISTENER_PORT if you mean haproxy-zk's"},
		},
		{
			what: "a service named haproxy-zk, and one named haproxy-zk-admin", environment: "HAPROXY_ZK_PORT=tcp://10.0.0.1:80\nHAPROXY_ZK_SERVICE_HOST=10.0.0.1\nHAPROXY_ZK_PORT_80_TCP_PROTO=tcp\nHAPROXY_ZK_SERVICE_PORT_HTTP=80\nHAPROXY_ZK_ADMIN_PORT=tcp://10.0.0.1:80",
			resolved: "HAPROXY_ZK_PORT=tcp://10.0.0.1:80\nHAPROXY_ZK_SERVICE_HOST=10.0.0.1\nHAPROXY_ZK_PORT_80_TCP_PROTO=tcp\nHAPROXY_ZK_SERVICE_PORT_HTTP=80",
			warnings: []string{"environment: HAPROXY_ZK_ADMIN_PORT: ignored, because it describes a service of Kubernetes or a link of Docker: give the service another name"},
		},
		{
			what: "unknown names", environment: "HAPROXY_ZK_LISTNER_PORT=1\nHAPROXY_ZK_COLOUR=red\nLISTNER_PORT=1",
			resolved: "HAPROXY_ZK_LISTNER_PORT=1\nHAPROXY_ZK_COLOUR=red\nLISTNER_PORT=1",
			warnings: []string{
				"environment: HAPROXY_ZK_COLOUR: unknown variable, ignored",
				"environment: HAPROXY_ZK_LISTNER_PORT: unknown variable, ignored: did you mean HAPROXY_ZK_LISTENER_PORT?",
			},
		},
	} {
		t.Run(tt.what, func(t *testing.T) {
			environment := parseVariables(tt.environment)
			before := maps.Clone(environment)
			resolved, problems := Resolve(environment, "HTTP_ADDR")
			if diff := cmp.Diff(parseVariables(tt.resolved), resolved); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			var warnings []string
			for _, p := range problems {
				warnings = append(warnings, p.String())
			}
			if diff := cmp.Diff(tt.warnings, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, environment); diff != "" {
				t.Errorf("it changed what it was given:\n%s", diff)
			}
		})
	}
}

func TestProblemsNameVariableAsSet(t *testing.T) {
	resolved, _ := Resolve(parseVariables("ZK_ADDR=zk1:2181\nHAPROXY_ZK_MODE=udp\nWORKERS=none\nHAPROXY_ZK_HARD_STOP_AFTER=never"))
	_, _, err := FromEnvironment(environment(), resolved)
	problems, ok := errors.AsType[*Problems](err)
	if !ok {
		t.Fatalf("error %v", err)
	}
	var keys []string
	for _, p := range *problems {
		keys = append(keys, p.Key)
	}
	if diff := cmp.Diff([]string{"HAPROXY_ZK_HARD_STOP_AFTER", "HAPROXY_ZK_MODE", "WORKERS"}, keys); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"HAPROXY_ZK_MODE", "HAPROXY_ZK_HARD_STOP_AFTER", "WORKERS", "ZK_ADDR"}, EnvironmentConflicts(resolved), cmp.Transformer("set", func(names []string) map[string]bool {
		set := make(map[string]bool)
		for _, name := range names {
			set[name] = true
		}
		return set
	})); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
}

func TestSecretUnderFullName(t *testing.T) {
	resolved, _ := Resolve(parseVariables("ZK_ADDR=zk1:2181\nADMIN_USER=ops\nHAPROXY_ZK_ADMIN_PASSWORD=hush\nHTTPCHK=GET /${HAPROXY_ZK_ADMIN_PASSWORD}"))
	_, _, err := FromEnvironment(environment(), resolved)
	if err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "HTTPCHK") {
		t.Errorf("error %v", err)
	}
}
