package plan

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// upgradable returns a plan whose executable reports the version that was installed
// last.
func upgradable(t *testing.T, change func(*config.Proxy)) (pl *Plan, install func(script string)) {
	t.Helper()
	pl = planOf(t, change)
	pl.Executable = filepath.Join(t.TempDir(), "haproxy")
	return pl, func(script string) {
		t.Helper()
		aside := pl.Executable + ".new"
		if err := os.WriteFile(aside, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(aside, pl.Executable); err != nil {
			t.Fatal(err)
		}
	}
}

func printing(version string) string {
	return fmt.Sprintf("echo HAProxy version %s 2023/01/01", version)
}

func TestLayoutFollowsTheExecutablesVersion(t *testing.T) {
	reaper, stop, err := supervisor.StartReaper(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	pl, install := upgradable(t, func(p *config.Proxy) {
		p.Discover = &config.Discovery{Parent: "/", Entry: config.Group{Path: "/${group}", Mode: "http", ServerTemplate: haproxy.DefaultServerTemplate, MaxServer: 2}}
		p.Groups[0].ServerTemplate = haproxy.DefaultServerTemplate
	})
	install(printing("2.6.12"))
	v, err := pl.version(t.Context(), reaper)
	if err != nil {
		t.Fatal(err)
	}
	if err := pl.adapt(v); err != nil {
		t.Fatal(err)
	}
	layout := pl.Layout(reaper)
	for _, tt := range []struct {
		version string
		renews  bool
		line    string // line of the built-in template for this version only
	}{
		{"2.6.12", false, "option idle-close-on-response"},
		{"2.6.13", false, "option idle-close-on-response"},
		{"2.0.29", true, "tune.chksize"},
		{"2.6.12", false, "option idle-close-on-response"},
	} {
		install(printing(tt.version))
		if layout, err = layout.Current(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := layout.Frame.Version.String(); got != tt.version {
			t.Errorf("the version is %s, want %s", got, tt.version)
		}
		discovered, err := layout.Discover("shop")
		if err != nil {
			t.Fatal(err)
		}
		renews := layout.Template.Renews(layout.Frame)
		if renews(layout.Backends[0]) != tt.renews || renews(discovered) != tt.renews {
			t.Errorf("%s: kept clients renew their connections: %t, of a discovered group %t", tt.version, renews(layout.Backends[0]), renews(discovered))
		}
		text := string(layout.Template.Render(layout.Frame, layout.Backends, pl.rows()))
		if !strings.Contains(text, tt.line) {
			t.Errorf("%s: there is no line %q in\n%s", tt.version, tt.line, text)
		}
	}
	if v := pl.Frame.Version.String(); v != "2.6.12" {
		t.Errorf("the plan itself has become that of %s", v)
	}
}

func TestUnknownVersionErrorNamesItsKey(t *testing.T) {
	reaper, stop, err := supervisor.StartReaper(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	pl, install := upgradable(t, func(p *config.Proxy) {
		p.SocketFiles = []string{"/run/1", "/run/2"}
		p.Groups[0].ServerTemplate = haproxy.DefaultServerTemplate
	})
	if pl.Parsed, err = haproxy.ParseTemplate("global\n    nbthread 2\n$sockets\n$backend\n"); err != nil {
		t.Fatal(err)
	}
	pl.Template, pl.Frame.Version = "/etc/haproxy.template", haproxy.Version{Major: 2, Minor: 6, Full: "2.6.12"}
	for _, tt := range []struct{ name, script, want string }{
		{"it is not there", "", "web.exec: ask HAProxy for its version: "},
		{"it fails", "echo broken; exit 1", "broken"},
		{"it is another program", "echo hello", "is not HAProxy"},
		{"the template is not one for it", printing("2.2.9"), "is HAProxy 2.2.9 now, not 2.6.12: web.template: 2 socket files ask for 2 processes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.script != "" {
				install(tt.script)
			}
			if _, err := pl.current(t.Context(), reaper); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}
