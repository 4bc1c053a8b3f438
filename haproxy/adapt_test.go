package haproxy

import (
	"strings"
	"testing"
)

// Lines for processes as converted for HAProxy 2.5 and later.
func TestProcessesBecomeThreads(t *testing.T) {
	const template = `global
    nbproc 4
    cpu-map 1 0
    cpu-map 2-3 1
    cpu-map auto:1-4 0-3
    cpu-map all 0-3
    stats socket /x process 1 mode 600
    stats bind-process 1
$sockets
frontend f
    bind :80 process 1 name one
    bind-process 1
    mode http
$backend
`
	old := renderText(t, template, v22)
	for _, line := range []string{"nbproc 4", "cpu-map 1 0", "bind-process 1", "process 1 name one"} {
		if !strings.Contains(old, line) {
			t.Errorf("HAProxy 2.2 has processes, but lost %q:\n%s", line, old)
		}
	}
	lines := strings.Split(renderText(t, template, v26), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	expectLines(t, lines,
		[]string{"nbthread 4", "cpu-map 1/1 0", "cpu-map 1/2-3 1", "cpu-map auto:1/1-4 0-3", "cpu-map 1/all 0-3", "stats socket /x mode 600", "bind :80 name one", "mode http"},
		[]string{"nbproc 4", "bind-process 1", "stats bind-process 1"})
}

func TestThreadsKeepTheirCPUs(t *testing.T) {
	const template = "global\n    nbthread 2\n    cpu-map 1/1 0\n    cpu-map 1 0-1\n$sockets\n$backend\n"
	if text := renderText(t, template, v26); !strings.Contains(text, "    cpu-map 1/1 0\n    cpu-map 1 0-1\n") {
		t.Error(text)
	}
}

func TestValidateRejectsProcessesWithoutSocket(t *testing.T) {
	template := parsed(t, "global\n    nbproc 4\n$sockets\n$backend\n")
	f := Frame{Version: v22, Sockets: []string{"/s"}}
	err := template.Validate(f, nil)
	if err == nil || !strings.Contains(err.Error(), "line 2: 4 processes and 1 socket file") || !strings.Contains(err.Error(), "name 4 socket_files") {
		t.Errorf("%v", err)
	}
	f.Sockets = make([]string, 4)
	if err := template.Validate(f, nil); err != nil {
		t.Error(err)
	}
	f.Version, f.Sockets = v26, []string{"/s"}
	if err := template.Validate(f, nil); err != nil {
		t.Error(err)
	}
}
