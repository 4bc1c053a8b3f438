package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// withChecks gives the group front health checks that fail within two seconds.
func withChecks(c *rig.SeedConfig) {
	c.Groups[0].ServerTemplate = "${group_name} 1-${max_server} 0.0.0.0:0 check inter 1s rise 1 fall 2 disabled"
}

// question is what an operator asks at night: the command that answers it, a pattern of
// the first line, patterns that other lines match; and the one request that answers it, or
// /metrics, with a pattern of the line.
type question struct {
	command []string
	first   string
	also    []string
	request string
	answer  string
}

// expects waits until the answers are as expected, and logs that of the command.
func (s *stage) expects(q question) {
	s.t.Helper()
	if q.request != "" {
		s.must(rig.Eventually(s.t.Context(), 4*within, func() error {
			code, body := s.get(q.request)
			if code != http.StatusOK || !regexp.MustCompile("(?m)"+q.answer).MatchString(body) {
				return fmt.Errorf("%s: status %d, nothing matches %q in %.4000s", q.request, code, q.answer, body)
			}
			return nil
		}))
	}
	said, last := "", ""
	err := rig.Eventually(s.t.Context(), 4*within, func() error {
		var code int
		code, said = s.asks(q.command...)
		first, _, _ := strings.Cut(said, "\n")
		if first != last {
			last = first
			s.t.Logf("%s: exit code %d: %s", time.Now().Format(time.TimeOnly), code, first)
		}
		if code != 0 || !regexp.MustCompile(q.first).MatchString(first) {
			return fmt.Errorf("exit code %d, the first line does not match %q", code, q.first)
		}
		for _, pattern := range q.also {
			if !regexp.MustCompile("(?m)" + pattern).MatchString(said) {
				return fmt.Errorf("nothing matches %q", pattern)
			}
		}
		return nil
	})
	s.t.Logf("$ haproxy-zk %s\n%s", strings.Join(q.command, " "), said)
	if err != nil {
		s.t.Error(err)
	}
}

// errorsAndTraffic sends requests to a good instance and one that fails them.
func (s *stage) errorsAndTraffic() (good, bad string, sent map[int]int) {
	s.t.Helper()
	good, bad = s.app(front).Addr(), s.failing(front).Addr()
	for _, addr := range []string{good, bad} {
		s.eventually("both are up", func() error { return s.counts(1, "haproxyzk_instance_up", `address="`+addr+`"`) })
	}
	sent = make(map[int]int)
	s.requests(40, sent)
	if sent[200] == 0 || sent[500] == 0 {
		s.t.Fatalf("one instance got no request: %v", sent)
	}
	return good, bad, sent
}

// What an operator asks at night is answered by one command, whose first line is the
// answer, and by one request or metric.
func TestOneCommandAnswers(t *testing.T) {
	const name = "ngboss/" + front
	for _, story := range []struct {
		name   string
		nbproc bool // it needs two workers
		change func(*rig.SeedConfig)
		play   func(*stage) question
	}{
		{name: "registered instance whose check fails", change: withChecks, play: func(s *stage) question {
			a, b := s.app(front), s.app(front)
			s.serves(front, a, b)
			a.SetHealthy(false)
			return question{
				[]string{"explain", name + "/" + a.Addr()},
				`^` + name + "/" + a.Addr() + ` does not serve: its health check fails in (all 2 workers|the only worker) since \S+ \(\d+s\): L7STS`,
				[]string{`→ repair the instance`, `^registered: +yes`, `^decoded: +IPv4 address 127\.0\.0\.1, port \d+`, `down .*L7STS 503 in`, `down +` + a.Addr()},
				"/" + name + "?detail", `"address":"` + a.Addr() + `","state":"down","set_by":"health check","reason":"L7STS`,
			}
		}},
		{name: "instance that serves", change: withChecks, play: func(s *stage) question {
			a := s.app(front)
			s.serves(front, a)
			return question{[]string{"explain", name + "/" + a.Addr()}, ` serves: up in (all 2 workers|the only worker) since `, []string{`^zookeeper: +connected to 127\.0\.0\.1:`}, "/" + name + "?passing", a.Addr()}
		}},
		{name: "instance that is not registered", play: func(s *stage) question {
			a := s.app(front)
			s.serves(front, a)
			if err := a.Unregister(); err != nil {
				s.t.Fatal(err)
			}
			s.changes("deregistered " + front + " " + a.Addr())
			return question{[]string{"explain", name + "/" + a.Addr()}, ` does not serve: it (is not registered|has deregistered)`, []string{`deregistered +` + a.Addr()}, "", ""}
		}},
		{name: "instance of another group", play: func(s *stage) question {
			a, b := s.app(front), s.app(base)
			s.serves(front, a)
			s.serves(base, b)
			return question{[]string{"explain", name + "/" + b.Addr()}, ` does not serve here: it is registered in the group ` + base, []string{`→ haproxy-zk explain ngboss/` + base + "/" + b.Addr()}, "", ""}
		}},
		{name: "bad name", play: func(s *stage) question {
			if err := s.registry.Register(s.node(front), "app-1.example.com:8080"); err != nil {
				s.t.Fatal(err)
			}
			return question{
				[]string{"explain", name + "/app-1.example.com:8080"},
				` does not serve: a host name instead of an IP address`,
				[]string{`→ register instances by names of the form ip:port`, `^registered: +yes`, `^decoded: +not at all: a host name instead of an IP address`},
				"/metrics", `^haproxyzk_instances_skipped\{group="` + front + `",proxy="ngboss"\} 1$`,
			}
		}},
		{name: "held group", play: func(s *stage) question {
			a := s.apps(6, front)
			s.serves(front, a...)
			s.wipe(s.node(front)) // one by one they might not count as one loss
			return question{
				[]string{"explain", name},
				`^` + name + ` serves with 6 of 6 instances: 6 held`,
				[]string{`→ the loss guard holds .* haproxy-zk release ` + name, `held +\d+s`},
				"/metrics", `^haproxyzk_instances_held\{group="` + front + `",proxy="ngboss"\} 6$`,
			}
		}},
		{name: "one worker that differs", nbproc: true, change: func(c *rig.SeedConfig) {
			c.Groups[0].ServerTemplate = "${group_name} 1-${max_server} 0.0.0.0:0 check inter 1s downinter 1h rise 1 fall 2 disabled"
		}, play: func(s *stage) question {
			a := s.app(front)
			s.serves(front, a)
			// A worker that finds it down checks it again after an hour.
			a.SetHealthy(false)
			s.eventually("both workers find it down", func() error {
				if _, said := s.asks("explain", name+"/"+a.Addr()); !strings.Contains(said, "fails in all 2 workers") {
					return errors.New(said)
				}
				return nil
			})
			a.SetHealthy(true)
			s.operate(0, front, a, "health up")
			return question{[]string{"explain", name + "/" + a.Addr()}, ` serves in 1 of 2 workers only: worker \d+ has it down since `, []string{`^ *\d+ +\S+ +up `, `^ *\d+ +\S+ +down `}, "/" + name + "?detail", `"differs":true`}
		}},
		{name: "failing reload", play: func(s *stage) question {
			// An address of no interface here: only HAProxy's start finds that.
			s.config.Template += "\nlisten away\n    mode tcp\n    bind 192.0.2.1:8080\n"
			s.rewrite(s.config)
			s.reread("ok")
			return question{[]string{"status", "-o", "table"}, `^haproxy-zk \(process \d+\) is ready, with problems: ngboss: .*([Cc]annot|[Cc]ould not) bind`, []string{`^ngboss +yes`}, "/metrics", `^haproxyzk_reloads_total\{cause="configuration",proxy="ngboss",result="error"\} [1-9]`}
		}},
		{name: "which instance returns errors", change: withChecks, play: func(s *stage) question {
			_, bad, _ := s.errorsAndTraffic()
			s.asks("top")
			s.requests(20, make(map[int]int))
			return question{
				[]string{"top", "--limit", "1"},
				`^ *ERR/S +5XX % +REQ/S`,
				[]string{`^ *[1-9][0-9.]* +100\.0 .*` + bad, `^1 of 2 instances, by errors; rates of the last`},
				"/metrics", `^haproxyzk_instance_http_responses_total\{proxy="ngboss",group="` + front + `",address="` + bad + `",code="5xx"\} [1-9]`,
			}
		}},
		{name: "traffic and error rate over two workers", nbproc: true, change: withChecks, play: func(s *stage) question {
			good, bad, _ := s.errorsAndTraffic()
			s.asks("top", name)
			s.requests(40, make(map[int]int))
			return question{
				[]string{"top", name, "--by", "rate"},
				`^ *ERR/S +5XX % +REQ/S`,
				[]string{`^ *0 +0\.0 +[1-9].*` + good, `^ *[1-9][0-9.]* +100\.0 +[1-9].*` + bad},
				"/" + name + "?top=errors", `"of":2,"instances":\[\{[^{]*"address":"` + bad + `"[^{]*"rates":\{[^}]*"responses_5xx_share":1[,}].*"address":"` + good + `"`,
			}
		}},
		{name: "what changed in the last hour", play: func(s *stage) question {
			a := s.app(front)
			s.serves(front, a)
			if err := a.Unregister(); err != nil {
				s.t.Fatal(err)
			}
			before := s.pids()
			s.signal(syscall.SIGUSR2)
			s.renewed(before)
			where := " +" + name + "/" + a.Addr()
			return question{
				[]string{"events", "--since", "1h"},
				`^TIME +AGO +EVENT +OF +WHY`,
				[]string{`registered` + where, `serving` + where, `deregistered` + where, `reload +ngboss +signal`},
				"/events?since=1h", `(?s)"kind":"registered",.*"` + a.Addr() + `".*"kind":"serving",.*"` + a.Addr() + `".*"kind":"deregistered",.*"` + a.Addr() + `".*"kind":"reload","proxy":"ngboss","reason":"signal"`,
			}
		}},
		{name: "a group without instances", play: func(s *stage) question {
			b := s.app(base)
			s.serves(base, b)
			return question{[]string{"get", "-o", "table"}, `^GROUP +UP +OF +PROBLEM`, []string{`^` + name + ` +0 +0 +no instance is registered, requests fail`, `^ngboss/` + base + ` +1 +1$`}, "/metrics", `^haproxyzk_instances_registered\{group="` + front + `",proxy="ngboss"\} 0$`}
		}},
		{name: "which instances serve", change: withChecks, play: func(s *stage) question {
			a, b := s.app(front), s.app(front)
			s.serves(front, a, b)
			a.SetHealthy(false)
			return question{[]string{"get", "-o", "wide", name}, `^INSTANCE +STATE +SINCE`, []string{a.Addr() + ` +down .*health check`, b.Addr() + ` +up`}, "/" + name + "?passing", `"instances":\["` + b.Addr() + `"\]`}
		}},
	} {
		t.Run(strings.ReplaceAll(story.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			haproxies := shared.haproxies
			if story.nbproc {
				haproxies = slices.DeleteFunc(slices.Clone(haproxies), func(h rig.HAProxy) bool { return !h.Nbproc })
			}
			if len(haproxies) == 0 {
				t.Fatal("no HAProxy has worker processes: build/haproxy unpacks 2.2")
			}
			h := haproxies[len(story.name)%len(haproxies)]
			if story.nbproc {
				h.Workers = 2
			}
			s := begin(t, h, story.change)
			s.expects(story.play(s))
		})
	}
}

// The answers of a slow ZooKeeper come late, and one look at the status says so.
func TestStatusAnswersWhetherZooKeeperIsSlow(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, w := wired(t, h, "10s")
		s.start()
		s.ready()
		w.Delay(time.Second)
		s.app(front)
		s.expects(question{
			[]string{"status", "-o", "table"},
			`with problems: ngboss: ZooKeeper is slow, changes come late: its latest answer took [12](\.\d)?s`,
			[]string{`connected to 127\.0\.0\.1:\d+, its latest answer took`},
			"/metrics", `^haproxyzk_zookeeper_request_duration_seconds_sum\{op="children",proxy="ngboss"\} [1-9]`,
		})
	})
}

// The first instance beyond the limit of servers waits, and one command says why.
func TestExplainAnswersThatAGroupIsFull(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{Heap: "256m"})
		s := newStage(t, h, func(c *rig.SeedConfig) {
			c.ZKAddr = z.Addr()
			c.Groups[1] = rig.Group{
				Name: "large", ZKPath: c.ZKPath, ACLs: []string{"path_beg /large/"}, MaxServer: 10_000,
				ServerTemplate: "${group_name} 1-${max_server} ${ip_port} disabled",
			}
		})
		s.connect()
		s.instances(s.node("large"), 10_001)
		s.start()
		s.expects(question{
			[]string{"explain", "ngboss/large"},
			`; the group is full: the limit of servers is reached`,
			[]string{`→ deregister what is not an instance, or split the group`},
			"/readyz", `"full":\["large"\]`,
		})
	})
}
