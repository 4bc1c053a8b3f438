package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/register"
)

func registrationOf(text string) (*Registration, error) {
	return RegistrationFromEnvironment(secretFiles(), parseVariables(text), func(variable string) string { return "--" + variable })
}

func TestRegistrationFromEnvironment(t *testing.T) {
	r, err := registrationOf("ZK_ADDR=zk1:2181,zk2:2181/root\nREGISTER_GROUP=web\nREGISTER_CHECK=http://127.0.0.1:${PORT}/health\nPORT=8080")
	if err != nil {
		t.Fatal(err)
	}
	if r.Path != "/services/web/instances" || r.SessionTimeout != 10*time.Second || r.Access != "readable" || r.ZooKeeper.Chroot != "/root" ||
		r.Check.Port() != 8080 || r.Interval != 2*time.Second || r.Timeout != time.Second {
		t.Errorf("got %+v", r)
	}
	want := register.Rules{Passes: 1, Failures: 3, Drain: 5 * time.Second, Grace: 20 * time.Second, Patience: Deregistering}
	if diff := cmp.Diff(want, r.Rules); diff != "" {
		t.Errorf("rules: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(register.Instance{Format: register.Name, Group: "web"}, r.Instance); diff != "" {
		t.Errorf("instance: -want +got:\n%s", diff)
	}

	r, err = registrationOf("ZK_ADDR=zk1:2181\nZK_PATH=/a/${app}/b\nZK_AUTH_FILE=/run/secrets/zk\nREGISTER_GROUP=web\nREGISTER_ADDRESS=:80\nREGISTER_FORMAT=nerve\n" +
		"REGISTER_WEIGHT=50\nREGISTER_METADATA=az=a, rack=b=c\nREGISTER_SESSION_TIMEOUT=30\nSESSION_TIMEOUT=the application's")
	if err != nil {
		t.Fatal(err)
	}
	instance := register.Instance{Format: register.Nerve, Group: "web", Weight: 50, Metadata: map[string]string{"az": "a", "rack": "b=c"}}
	if diff := cmp.Diff(instance, r.Instance); diff != "" {
		t.Errorf("instance: -want +got:\n%s", diff)
	}
	if r.Path != "/a/web/b" || r.SessionTimeout != 30*time.Second || r.ZooKeeper.Auth.Reveal() != "app:${b}" {
		t.Errorf("got %+v, %s", r, r.ZooKeeper.Auth.Reveal())
	}
}

func TestWrongRegistrationsAreReportedAtOnce(t *testing.T) {
	_, err := registrationOf("ZK_ADDR=zk1\nREGISTER_GROUP=a/b\nREGISTER_ADDRESS=web:80\nREGISTER_CHECK=ftp://web\nREGISTER_INTERVAL=1ms\nREGISTER_WEIGHT=1000\n" +
		"REGISTER_METADATA=a\nREGISTER_ACCESS=nobody\nREGISTER_FORMAT=xml\nREGISTER_DRAIN=soon\nREGISTER_FAILURES=0\nZK_AUTH=canary")
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, key := range []string{
		"ZK_ADDR", "REGISTER_GROUP", "REGISTER_ADDRESS", "REGISTER_CHECK", "REGISTER_INTERVAL", "REGISTER_WEIGHT", "REGISTER_METADATA",
		"REGISTER_ACCESS", "REGISTER_FORMAT", "REGISTER_DRAIN", "REGISTER_FAILURES", "ZK_AUTH",
	} {
		if !strings.Contains(err.Error(), "register: --"+key+": ") {
			t.Errorf("nothing about %s in\n%v", key, err)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the secret is in\n%v", err)
	}
	for text, says := range map[string]string{
		"REGISTER_GROUP=web\nREGISTER_ADDRESS=:80":                                      "ZK_ADDR: the variable is missing",
		"ZK_ADDR=zk1:2181\nREGISTER_ADDRESS=:80":                                        "REGISTER_GROUP: it is missing",
		"ZK_ADDR=zk1:2181\nREGISTER_GROUP=web":                                          "REGISTER_ADDRESS: there is no port",
		"ZK_ADDR=zk1:2181\nREGISTER_GROUP=web\nREGISTER_CHECK=none":                     "REGISTER_ADDRESS: there is no port",
		"ZK_ADDR=zk1:2181\nREGISTER_GROUP=web\nREGISTER_ADDRESS=:80\nREGISTER_WEIGHT=5": "REGISTER_FORMAT: the format name has no weight",
	} {
		if _, err := registrationOf(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %s", text, err, says)
		}
	}
}
