package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// canary is a password with characters that are special in files or logs.
const canary = `ca'nary #"$acl\ 7f3a`

// leaks reports the canary, or a part that would identify it.
func leaks(t *testing.T, where, text string) {
	t.Helper()
	for _, part := range []string{canary, "nary #", "7f3a"} {
		if strings.Contains(text, part) {
			t.Errorf("%s shows the secret: %q", where, part)
		}
	}
}

func TestSecretsStaySecret(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		listener, admin := s.port(), s.port()
		s.run("ZK_ADDR="+shared.zookeeper.Addr(), "ZK_PATH="+s.config.ZKPath, "EXEC="+h.Path, "LOG_LEVEL=debug",
			"ADMIN_USER=operator", "ADMIN_PASSWORD="+canary, fmt.Sprintf("LISTENER_PORT=%d", listener), fmt.Sprintf("ADMIN_PORT=%d", admin))
		s.ready()
		web := s.app("web")
		s.eventually("it serves", func() error { return s.answersAt(listener, "/web", web) })

		stats := func(password string) int {
			request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/ha-stats", admin), nil)
			if err != nil {
				t.Fatal(err)
			}
			request.SetBasicAuth("operator", password)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			return response.StatusCode
		}
		if code := stats(canary); code != http.StatusOK {
			t.Errorf("the stats page answers %d to the password", code)
		}
		if code := stats("wrong"); code != http.StatusUnauthorized {
			t.Errorf("the stats page answers %d to a wrong password", code)
		}

		for _, path := range []string{"/", "/default", "/default/web", "/readyz", "/healthz", "/metrics", "/nothing?" + url.QueryEscape("x")} {
			_, body := s.get(path)
			leaks(t, path, body)
		}
		code, body := s.get("/default/config")
		leaks(t, "/default/config", body)
		if code != http.StatusOK || !strings.Contains(body, "stats auth [secret]\n") || !strings.Contains(body, "global\n") {
			t.Errorf("/default/config: status %d, %s", code, body)
		}
		s.processes()
		s.readable()
		s.stopped()
		s.readable()
		leaks(t, "the output", s.daemon.Output())
	})
}

// readable looks for the canary in files readable by others than the owner.
func (s *stage) readable() {
	s.t.Helper()
	err := filepath.WalkDir(s.home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			return err
		}
		text, err := os.ReadFile(path)
		leaks(s.t, path, string(text))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// processes looks for the secret in the arguments and environment of the daemon's
// children, and in its own command line. During a reload there may be none to read.
func (s *stage) processes() {
	s.t.Helper()
	s.eventually("HAProxy's processes can be read", func() error {
		children, err := s.daemon.Descendants()
		if err != nil {
			return err
		}
		files := []string{fmt.Sprintf("/proc/%d/cmdline", s.daemon.PID())}
		for _, c := range children {
			files = append(files, fmt.Sprintf("/proc/%d/cmdline", c.PID), fmt.Sprintf("/proc/%d/environ", c.PID))
		}
		read := 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH): // it has ended
			case err != nil:
				return err
			default:
				leaks(s.t, file, string(text))
				read++
			}
		}
		if read < 3 {
			return fmt.Errorf("only %d of %v could be read", read, files)
		}
		return nil
	})
}

func TestErrorsDoNotShowSecrets(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		occupied := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		for name, wrong := range map[string]string{
			"HAProxy refuses it":         "BALANCE=nonsense",
			"the password is wrong":      "ADMIN_PASSWORD=7f3a\x01",
			"a port is in use":           "LISTENER_PORT=" + occupied,
			"the password names no user": "ADMIN_USER=",
		} {
			t.Run(name, func(t *testing.T) {
				s := newStage(t, h, nil)
				env := []string{"ZK_GROUPS=web", "ZK_ADDR=" + shared.zookeeper.Addr(), "EXEC=" + h.Path, "LOG_LEVEL=debug", "START_WAIT=10ms", fmt.Sprintf("ADMIN_PORT=%d", s.port())}
				for _, def := range []string{"ADMIN_USER=operator", "ADMIN_PASSWORD=" + canary, fmt.Sprintf("LISTENER_PORT=%d", s.port())} {
					variable, _, _ := strings.Cut(def, "=")
					if !strings.HasPrefix(wrong, variable+"=") {
						env = append(env, def)
					}
				}
				s.run(append(env, wrong)...)
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				if code, err := s.daemon.Wait(ctx); err != nil || code == 0 {
					t.Errorf("exit code %d, %v", code, err)
				}
				leaks(t, "the error", s.daemon.Output())
			})
		}
	})
}
