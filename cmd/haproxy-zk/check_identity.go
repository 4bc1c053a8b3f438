package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/hactl"
)

// checkIdentity looks for what HAProxy says only when it starts, in its workers:
// by then its launcher has ended well.
func checkIdentity(pl *plan) []finding {
	var found []finding
	tell := func(s hactl.Setting, text, remedy string) {
		found = append(found, finding{Proxy: pl.Name, Severity: isError, Where: templateName(pl), Line: s.Line, Text: text, Remedy: remedy})
	}
	t, root := pl.template, os.Geteuid() == 0
	for _, s := range withValue(t.Global("chroot")) {
		if info, err := os.Stat(s.Words[1]); err != nil || !info.IsDir() {
			tell(s, s.Words[1]+" is no folder: HAProxy's workers would end at once", "make it, or remove the line")
		} else if !root {
			tell(s, "only root can chroot: HAProxy's workers would end at once", "remove the line, or run as root")
		}
	}
	for _, keyword := range []string{"user", "uid", "group", "gid"} {
		for _, s := range withValue(t.Global(keyword)) {
			if !root && !isOwn(keyword, s.Words[1]) {
				tell(s, fmt.Sprintf("only root can become the %s %s: HAProxy's workers would end at once", keyword, s.Words[1]),
					"remove the line, or run as root")
			}
		}
	}
	return append(found, judgeProcesses(pl.Name, templateName(pl), pl.template, pl.frame)...)
}

func withValue(settings []hactl.Setting) []hactl.Setting {
	var with []hactl.Setting
	for _, s := range settings {
		if len(s.Words) > 1 {
			with = append(with, s)
		}
	}
	return with
}

// isOwn tells whether the process is that user or group already.
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

// judgeProcesses compares the processes and threads that the template asks for
// with the socket files, which are one a worker.
func judgeProcesses(proxy, template string, t *hactl.Template, f hactl.Frame) []finding {
	var found []finding
	sockets := len(f.Sockets)
	for _, s := range withValue(t.Global("nbproc")) {
		n, err := strconv.Atoi(s.Words[1])
		if err == nil && n != sockets && f.Version.Nbproc() {
			found = append(found, finding{
				Proxy: proxy, Severity: isError, Where: template, Line: s.Line,
				Text:   fmt.Sprintf("%s and %s: a process without a socket is never told of instances", plural(n, "process"), plural(sockets, "socket file")),
				Remedy: "write `nbproc $nbproc`",
			})
		}
	}
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
