package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// asks runs a command that queries the daemon, and returns its exit code and output.
func (s *stage) asks(args ...string) (code int, output string) {
	s.t.Helper()
	args = append(args, "--run-dir", s.home+"/run", "--http-addr", s.http)
	text, err := exec.CommandContext(s.t.Context(), s.binary, args...).CombinedOutput()
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		return exit.ExitCode(), string(text)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return 0, string(text)
}

// rejected waits until all places report that the configuration was rejected for
// reason.
func (s *stage) rejected(reason string) {
	s.t.Helper()
	code, body := s.get("/readyz")
	if code != http.StatusOK || !strings.Contains(body, `"ready":true,"configuration":{"error":"`) || !strings.Contains(body, reason) || !strings.Contains(body, `"since":"`) {
		s.t.Errorf("/readyz: %d %s, want %q", code, body, reason)
	}
	if strings.Contains(body, s.config.ConfFile()+":") {
		s.t.Errorf("/readyz names a line of the rendered file: %s", body)
	}
	if code, said := s.asks("status"); code != 0 || !strings.Contains(said, "configuration rejected since") || !strings.Contains(said, "  "+reason) {
		s.t.Errorf("status: %d %s, want %q", code, said, reason)
	}
	if err := s.counts(0, "haproxyzk_config_last_reload_successful"); err != nil {
		s.t.Error(err)
	}
	s.says(reason)
}

func TestRejectedConfigurationIsReportedUntilOneIsAccepted(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		file, err := rig.WriteConfig(s.home, s.config)
		if err != nil {
			t.Fatal(err)
		}
		const at = "haproxyzk_config_last_reload_success_timestamp_seconds"
		start := s.metric(at)
		if err := s.counts(1, "haproxyzk_config_last_reload_successful"); err != nil {
			t.Error(err)
		}
		reloads := func(code int, words string) {
			t.Helper()
			if got, said := s.asks("reload"); got != code || !strings.Contains(said, words) {
				t.Errorf("reload: exit code %d, want %d and %q: %s", got, code, words, said)
			}
		}

		if err := os.WriteFile(file, []byte("{\n  \"ngboss\": {,\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		reloads(2, file+":2: ")
		s.rejected(file + ":2: ")

		right := rig.SeedTemplate
		s.config.Template = right + "\n\nbackend broken\n    no-such-keyword\n"
		s.rewrite(s.config)
		wrong := fmt.Sprintf("%s:%d: HAProxy: unknown keyword 'no-such-keyword'", s.config.TemplateFile(), strings.Count(s.config.Template, "\n"))
		s.reread("error")
		s.rejected(wrong)
		reloads(2, wrong)

		s.config.Template = right + "\n$backend more\n"
		s.rewrite(s.config)
		wrong = fmt.Sprintf("%s:%d: ", s.config.TemplateFile(), strings.Count(s.config.Template, "\n"))
		s.reread("error")
		s.rejected(wrong)
		reloads(2, wrong)
		if now := s.metric(at); now != start {
			t.Errorf("last success at %v, before the failures at %v", now, start)
		}

		s.config.Template = right
		s.rewrite(s.config)
		reloads(0, "unchanged: ngboss")
		if code, body := s.get("/readyz"); code != http.StatusOK || strings.Contains(body, "configuration") {
			t.Errorf("/readyz: %d %s", code, body)
		}
		if _, said := s.asks("status"); strings.Contains(said, "rejected") {
			t.Errorf("status: %s", said)
		}
		if err := s.counts(1, "haproxyzk_config_last_reload_successful"); err != nil {
			t.Error(err)
		}
		if now := s.metric(at); now <= start {
			t.Errorf("last success at %v, at the start %v", now, start)
		}
		s.keepsPIDs(before)

		s.config.Groups[1].MaxServer = 30
		s.rewrite(s.config)
		reloads(0, "changed: ngboss")
		s.renewed(before)
		s.serves(front, a)
		s.stopped()
		reloads(1, "no haproxy-zk listens on the control socket")
	})
}
