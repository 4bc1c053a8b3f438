package check

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

// checkIdentity finds problems that HAProxy reports only when it starts its workers,
// after its launcher has succeeded.
func checkIdentity(pl *plan.Plan) []finding {
	var found []finding
	add := func(severity string, line int, text, remedy string) {
		found = append(found, finding{Proxy: pl.Name, Severity: severity, Where: templateName(pl), Line: line, Text: text, Remedy: remedy})
	}
	report := func(s haproxy.Setting, text, remedy string) { add(isError, s.Line, text, remedy) }
	t, root := pl.Parsed, os.Geteuid() == 0
	for _, s := range withValue(t.Global("chroot")) {
		if s.Words[1] == "auto" && pl.Frame.Version.ChrootsAnyone() {
			continue
		}
		if info, err := os.Stat(s.Words[1]); err != nil || !info.IsDir() {
			report(s, s.Words[1]+" is not a directory: HAProxy's workers would exit at once", "create it, or remove the line")
		} else if !root && pl.Frame.Version.ChrootsAnyone() {
			add(isWarning, s.Line, "without root, `chroot` needs user namespaces: where the kernel does not allow them, HAProxy's workers exit at once", "remove the line, or run as root")
		} else if !root {
			report(s, "only root can chroot: HAProxy's workers would exit at once", "remove the line, or run as root")
		}
	}
	for _, keyword := range []string{"user", "uid", "group", "gid"} {
		for _, s := range withValue(t.Global(keyword)) {
			if !root && !isOwn(keyword, s.Words[1]) {
				report(s, fmt.Sprintf("only root can become the %s %s: HAProxy's workers would exit at once", keyword, s.Words[1]),
					"remove the line, or run as root")
			}
		}
	}
	if plan.StaysRoot() {
		for _, trap := range t.RootTraps(pl.Frame.Version) {
			add(isNote, trap.Line, trap.Text, trap.Remedy)
		}
	}
	return append(found, judgeProcesses(pl.Name, templateName(pl), pl.Parsed, pl.Frame)...)
}

func withValue(settings []haproxy.Setting) []haproxy.Setting {
	var with []haproxy.Setting
	for _, s := range settings {
		if len(s.Words) > 1 {
			with = append(with, s)
		}
	}
	return with
}

// isOwn reports whether the process already runs as that user or group.
func isOwn(keyword, name string) bool {
	switch keyword {
	case "user":
		u, err := user.Lookup(name)
		return err == nil && u.Uid == strconv.Itoa(os.Geteuid())
	case "group":
		g, err := user.LookupGroup(name)
		return err == nil && g.Gid == strconv.Itoa(os.Getegid())
	case "uid":
		return name == strconv.Itoa(os.Geteuid())
	}
	return name == strconv.Itoa(os.Getegid())
}

// judgeProcesses compares the processes and threads of the template with the socket
// files, of which there is one per worker.
func judgeProcesses(proxy, template string, t *haproxy.Template, f haproxy.Frame) []finding {
	var found []finding
	sockets := len(f.Sockets)
	for _, s := range withValue(t.Global("nbthread")) {
		n, err := strconv.Atoi(s.Words[1])
		switch {
		case err != nil || sockets < 2 || len(t.Global("nbproc")) == 0:
		case f.Version.Nbproc() && n > 1:
			found = append(found, finding{
				Proxy: proxy, Severity: isError, Where: template, Line: s.Line,
				Text:   fmt.Sprintf("HAProxy %s has several processes or several threads, not both", f.Version),
				Remedy: "remove the line, or name one socket file",
			})
		case !f.Version.Nbproc() && n != sockets:
			found = append(found, finding{
				Proxy: proxy, Severity: isWarning, Where: template, Line: s.Line,
				Text:   fmt.Sprintf("`nbproc` becomes nbthread %d with this HAProxy, beside this line: the later of them counts", sockets),
				Remedy: "remove the line: the number of socket_files is that of the threads",
			})
		}
	}
	return found
}
