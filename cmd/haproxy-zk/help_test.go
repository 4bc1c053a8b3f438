package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// Each command says what it does, shows how, and lists its exit codes.
func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	for _, cmd := range newRoot(io.Discard, io.Discard).Commands() {
		if cmd.Hidden {
			continue
		}
		if cmd.Long == "" || !strings.Contains(cmd.Example, "haproxy-zk") && cmd.Name() != "run" {
			t.Errorf("%s: long %q, example %q", cmd.Name(), cmd.Long, cmd.Example)
		}
		for line := range strings.Lines(cmd.Long) {
			if len([]rune(strings.TrimSpace(line))) > 90 {
				t.Errorf("%s: a line of %d characters does not fit a terminal: %s", cmd.Name(), len(line), line)
			}
		}
	}
}

func TestMistypedCommandsAreSuggested(t *testing.T) {
	t.Parallel()
	for typed, says := range map[string]string{
		"statt":   `"statt": did you mean start`,
		"reloda":  `"reloda": did you mean reload?`,
		"nothing": `"nothing"; see haproxy-zk --help`,
	} {
		var stderr bytes.Buffer
		if code := execute([]string{typed}, io.Discard, &stderr); code != 2 || !strings.Contains(stderr.String(), says) {
			t.Errorf("%s: exit code %d, %q", typed, code, stderr.String())
		}
	}
}

// completions are what a shell offers behind some words.
func completions(t *testing.T, words ...string) []string {
	t.Helper()
	var stdout bytes.Buffer
	if code := execute(append([]string{cobra.ShellCompRequestCmd}, words...), &stdout, io.Discard); code != 0 {
		t.Fatalf("complete %q: exit code %d", words, code)
	}
	var offered []string
	for line := range strings.Lines(stdout.String()) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if word != "" && !strings.HasPrefix(word, ":") {
			offered = append(offered, word)
		}
	}
	return offered
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"edge": {"web": {"instances": []}, "api": {"instances": []}}, "dmz": {}}`)
	})}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	at := "--http-addr=" + listener.Addr().String()
	for _, tt := range []struct {
		what  string
		words []string
		want  []string
	}{
		{"groups and proxies to get", []string{"get", at, ""}, []string{"dmz", "edge", "edge/api", "edge/web"}},
		{"groups to release", []string{"release", at, ""}, []string{"edge/api", "edge/web"}},
		{"nothing behind a group", []string{"get", at, "edge", ""}, nil},
		{"nothing where nobody answers", []string{"get", "--http-addr=127.0.0.1:1", ""}, nil},
		{"levels of the log", []string{"run", "--log-level", ""}, []string{"debug", "info", "warn", "error"}},
		{"formats of the log", []string{"start", "--log-format", ""}, []string{"text", "json"}},
		{"formats of findings", []string{"check", "--output", ""}, []string{"text", "json"}},
	} {
		if diff := cmp.Diff(tt.want, completions(t, tt.words...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.what, diff)
		}
	}
}

// The version is printed whatever is wrong with the settings or HAProxy.
func TestVersion(t *testing.T) {
	s := newSandbox(t)
	script := s.haproxy("#!/bin/sh\necho 'HA-Proxy version 2.0.0 2019/06/16 - https://haproxy.org/'\n")
	known := []string{
		"HAProxy 2.0.0 (" + script + ")",
		"    released 2019-06, past its end of life since 2024-06: gets no security fixes",
		"    workers are processes (`nbproc`), one per socket file",
	}
	for _, tt := range []struct {
		what    string
		args    []string
		env     []string
		haproxy []string
	}{
		{"the command", []string{"version"}, []string{"EXEC=" + script}, known},
		{"the flag", []string{"--version"}, []string{"EXEC=" + script}, known},
		{"wrong settings", []string{"--version"}, []string{"EXEC=" + script, "START_WAIT=soon"}, []string{"HAProxy "}},
		{"no HAProxy", []string{"version"}, []string{"EXEC=/nowhere/haproxy"}, []string{`HAProxy unknown: exec: "/nowhere/haproxy": stat /nowhere/haproxy: no such file or directory`}},
	} {
		code, said := s.run(tt.args, tt.env...)
		lines := strings.Split(strings.TrimSpace(said), "\n")
		if code != 0 || len(lines) < 3+len(tt.haproxy) || lines[0] != "haproxy-zk dev" || !strings.HasPrefix(lines[1], "commit ") ||
			lines[2] != fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH) || !slices.EqualFunc(lines[3:3+len(tt.haproxy)], tt.haproxy, strings.HasPrefix) {
			t.Errorf("%s: exit code %d\n%s", tt.what, code, said)
		}
	}
}
