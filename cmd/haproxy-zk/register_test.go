package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
)

// Every setting of register has a flag and a variable, except for the passwords.
func TestRegisterHasAFlagForEachVariable(t *testing.T) {
	t.Parallel()
	var variables []string
	for _, f := range registerFlags() {
		variables = append(variables, registerVariable(f[0]))
	}
	variables = append(variables, "ZK_AUTH", "ZK_SASL")
	want := config.RegistrationVariables()
	slices.Sort(variables)
	slices.Sort(want)
	if !slices.Equal(variables, want) {
		t.Errorf("flags of %v, settings are %v", variables, want)
	}
}

func TestRegisterRejectsWrongUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--zk", "zk1:2181", "--group", "web", "--address", ":80", "java"}, 2, `put -- before the command`},
		{[]string{"--group", "web", "--address", ":80"}, 2, "--zk or ZK_ADDR: the variable is missing"},
		{[]string{"--zk", "zk1:2181", "--group", "web", "--address", ":80", "--log-level", "loud"}, 2, "give debug, info, warn or error"},
		{[]string{"--zk", "zk1:2181", "--group", "web", "--address", ":80", "--", "/nowhere/java"}, 127, "cannot start the command"},
		{[]string{"--zk", "zk1:2181", "--group", "web", "--address", ":80", "--", "/"}, 126, "cannot start the command"},
	} {
		var stderr strings.Builder
		if code := execute(append([]string{"register"}, tt.args...), io.Discard, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.says) {
			t.Errorf("%v: exit code %d, %s", tt.args, code, stderr.String())
		}
	}
}
