package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// A launcher started by a script keeps running when the script is killed: it may bind,
// fork and write the pid file after the stop has begun.
func TestStopEndsWhatALauncherForksAfterwards(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		for _, how := range []string{"SIGTERM", "SIGQUIT", "SIGHUP that removes the proxy"} {
			s := newStage(t, h, nil)
			s.wrap(fmt.Sprintf(`if [ "$mode" = behind ] && [ "$1" = -D ]; then
	%s "$@" &
	touch $home/begun
	(sleep 0.3; exec %s "$@") &
	wait
	sleep 60
fi`, s.config.HAProxy, s.config.HAProxy))
			s.connect()
			s.start()
			s.ready()
			s.mode("behind")
			s.signal(syscall.SIGUSR2)
			s.eventually("the launcher is being run", func() error {
				_, err := os.Stat(filepath.Join(s.home, "begun"))
				return err
			})
			switch how {
			case "SIGTERM":
				s.stopped()
			case "SIGQUIT":
				s.signal(syscall.SIGQUIT)
				s.exits(0)
				s.nothingLeft()
			default:
				s.mode("")
				other := s.beside("other")
				s.rewrite(other.config)
				s.signal(syscall.SIGHUP)
				s.eventually("the proxy has no process", func() error {
					left, err := s.daemon.Leftovers()
					for _, p := range left {
						if slices.Contains(p.Args, s.config.PIDFile()) {
							err = errors.Join(err, fmt.Errorf("%v is left", p))
						}
					}
					return err
				})
				s.stopped()
			}
		}
	})
}

// A stop at any moment of a reload leaves nothing behind: with E2E_LONG at 200 moments.
func TestStopAtAnyMomentOfAReload(t *testing.T) {
	tries := 8
	if os.Getenv("E2E_LONG") != "" {
		tries = 200
	}
	const longest = 80 * time.Millisecond // a reload takes 10 to 40
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		for range tries {
			s := begin(t, h, nil)
			moment := rand.N(longest)
			s.signal(syscall.SIGUSR2)
			<-time.After(moment)
			s.signal(sigterm)
			s.exits(0)
			s.nothingLeft()
			s.registry.Close()
			if t.Failed() {
				t.Fatalf("%s after the reload began", moment)
			}
		}
	})
}
