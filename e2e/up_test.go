package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// down returns nil if /readyz reports exactly these groups as down, and is 200.
func (s *stage) down(groups ...string) error {
	code, body := s.get("/readyz")
	var document struct {
		Proxies map[string]struct{ Down []string }
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil || code != http.StatusOK {
		return fmt.Errorf("readyz: %d %s %w", code, body, err)
	}
	if got := document.Proxies[s.proxy()].Down; !slices.Equal(got, groups) {
		return fmt.Errorf("down are %q, want %q", got, groups)
	}
	return nil
}

// logged returns the daemon's own lines with a message, as JSON objects.
func (s *stage) logged(message string) (lines []map[string]any) {
	for line := range strings.Lines(s.daemon.Output()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == message {
			lines = append(lines, fields)
		}
	}
	return lines
}

const (
	noneUpLine = "no instance of the group is up, its requests fail"
	upAgain    = "group serves again"
)

func TestGroupWithAllInstancesDownIsReported(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b, other := s.app(front), s.app(front), s.app(base)
		s.serves(front, a, b)
		s.serves(base, other)
		up := func(want float64) error {
			return errors.Join(s.counts(want, "haproxyzk_instances_up", `group="`+front+`"`), s.counts(1, "haproxyzk_instances_up", `group="`+base+`"`))
		}
		s.eventually("both up", func() error { return errors.Join(up(2), s.down()) })
		a.SetHealthy(false)
		s.eventually("one up", func() error { return errors.Join(up(1), s.down()) })
		b.SetHealthy(false)
		s.eventually("none up", func() error { return errors.Join(up(0), s.down(front)) })
		a.SetHealthy(true)
		s.eventually("one up again", func() error { return errors.Join(up(1), s.down()) })
		s.eventually("it is logged", func() error {
			begun, over := s.logged(noneUpLine), s.logged(upAgain)
			if len(begun) != 1 || len(over) != 1 || begun[0]["level"] != "ERROR" || begun[0]["group"] != front || over[0]["group"] != front {
				return fmt.Errorf("%v, then %v", begun, over)
			}
			return nil
		})
		s.stopped()
	})
}

func TestEveryChangeOfAnInstanceIsLogged(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		s.retire(front, a)
		s.serves(front, b)
		entered, left := "instance put into service", "instance removed from service"
		s.eventually("one line each", func() error {
			in, out := s.logged(entered), s.logged(left)
			if len(in) != 2 || len(out) != 1 {
				return fmt.Errorf("%v, then %v", in, out)
			}
			if out[0]["instance"] != a.Addr() || out[0]["group"] != front || out[0]["reason"] != "deregistered" || out[0]["server"] == "" {
				return fmt.Errorf("%v", out)
			}
			if took, isNumber := out[0]["took_seconds"].(float64); !isNumber || took <= 0 || took > 1 {
				return fmt.Errorf("it took %v", out[0]["took_seconds"])
			}
			return nil
		})
		s.stopped()
	})
}

func TestHAProxysEmergencyIsAnError(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := listening(t, h)
		a := s.app(front)
		s.serves(front, a)
		a.SetHealthy(false)
		s.eventually("an error", func() error {
			for line := range strings.Lines(s.daemon.Output()) {
				if strings.Contains(line, "has no server available") && strings.Contains(line, `"level":"ERROR"`) {
					return nil
				}
			}
			return errors.New("HAProxy's line did not come out as one")
		})
		s.stopped()
	})
}
