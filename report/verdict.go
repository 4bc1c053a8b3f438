package report

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// deregistered is the reason of an instance that has left ZooKeeper.
const deregistered = "deregistered"

// judge says whether an instance serves, why not, and what to do.
func (e *explanation) judge(d *query.InstanceDetail, k *known) verdict {
	when := ""
	if d.Since != nil {
		when = " " + since(*d.Since, e.now)
	}
	no := func(why string, remedy ...string) verdict {
		return verdict{terminal.Bad, fmt.Sprintf("%s does not serve: %s", e.name, why), remedy}
	}
	if d.Differs && d.State != query.StateHeld {
		return e.judgeDifference(d, k)
	}
	switch d.State {
	case query.StateUp:
		return verdict{terminal.Good, fmt.Sprintf("%s serves: up in %s%s", e.name, inAll(len(d.Workers)), when), nil}
	case query.StateHeld:
		return verdict{
			terminal.Warning, fmt.Sprintf("%s serves although it has deregistered: the loss guard holds it, because many left at once", e.name),
			[]string{fmt.Sprintf("if that was intended: haproxy-zk release %s/%s", e.name.Proxy, e.name.Group), "else: see why they left, such as a ZooKeeper outage or a mass restart"},
		}
	case query.StateStarting:
		return verdict{terminal.Warning, fmt.Sprintf("%s is starting%s: it waits for its first health check, or is in its slow start", e.name, when), []string{"wait; if it takes long, see the last check below"}}
	case query.StateDown:
		return no("its health check fails in "+inAll(len(d.Workers))+when+": "+d.Reason,
			"repair the instance, or the check (httpchk); try it: curl -v http://"+d.Address+"/")
	}
	switch {
	case d.State == query.StateWaiting:
		return e.judgeWaiting(d, k)
	case d.Reason == deregistered:
		remedy := "nothing, if it was stopped; else see why its ZooKeeper session ended"
		if k.ofFiles() {
			remedy = "nothing, if that was intended; else see what removed it from the directory"
		}
		return no("it has deregistered"+sessions(d), remedy)
	case d.SetBy == query.ByOperator || d.SetBy == query.ByAgent:
		return no(fmt.Sprintf("%s set it to %s%s", article(d.SetBy), d.Reason, when),
			fmt.Sprintf("to put it back, on a stats socket of HAProxy: set server %s/%s state ready; or use the stats page", e.name.Group, serverOf(d)))
	}
	return no("it is in " + d.State + when + ": " + d.Reason)
}

// judgeDifference is the answer about an instance on which the workers do not agree.
func (e *explanation) judgeDifference(d *query.InstanceDetail, k *known) verdict {
	var good, bad []string
	for _, w := range d.Workers {
		text := fmt.Sprintf("worker %d has it %s %s", w.PID, w.State, since(w.Since, e.now))
		if w.State == query.StateUp {
			good = append(good, text)
			continue
		}
		if w.LastCheck != nil && w.State == query.StateDown {
			text += fmt.Sprintf(" (%s %s)", w.LastCheck.Status, w.LastCheck.Text)
		}
		bad = append(bad, text)
	}
	if len(bad) == 0 {
		bad = []string{"a worker has no server with it"}
	}
	remedy := "wait: haproxy-zk repairs a worker that differs from the others within seconds; if it lasts, look at the checks of that worker"
	if k.proxy.Problem != "" {
		remedy = "repair this first: " + essence(k.proxy.Problem)
	}
	return verdict{terminal.Warning, fmt.Sprintf("%s serves in %d of %d workers only: %s", e.name, len(good), max(len(d.Workers), len(good)+len(bad)), strings.Join(bad, "; ")), []string{remedy}}
}

// judgeWaiting is the answer about an instance that no worker has.
func (e *explanation) judgeWaiting(d *query.InstanceDetail, k *known) verdict {
	v := verdict{style: terminal.Bad, text: fmt.Sprintf("%s does not serve: %s", e.name, d.Reason)}
	switch {
	case d.SetBy == query.ByGuard:
		v.remedy = []string{"stabilize its ZooKeeper session: long garbage collections, short timeouts"}
		if k.ofFiles() {
			v.remedy = []string{"find out what adds it to the directory and removes it again"}
		}
	case slices.Contains(k.proxy.Full, e.name.Group):
		v.remedy = []string{"deregister what is not an instance, or split the group: docs/troubleshooting.md has the limits"}
	case k.proxy.Problem != "":
		v.text += ": " + essence(k.proxy.Problem)
		v.remedy = []string{"correct the cause; the reload that adds servers is retried within 30 s"}
	default:
		v.style = terminal.Warning
		v.remedy = []string{"wait for the reload that adds servers: haproxy-zk events --follow"}
	}
	return v
}

// haproxyLine matches the beginning of a line of HAProxy in a problem, which is one line.
var haproxyLine = regexp.MustCompile(`\[(NOTICE|WARNING|ALERT)\]`)

// essence returns a problem without the lines of HAProxy that say nothing of its cause: its
// notices and warnings, if there is an alert.
func essence(problem string) string {
	begins := haproxyLine.FindAllStringIndex(problem, -1)
	if !strings.Contains(problem, "[ALERT]") || len(begins) == 0 {
		return problem
	}
	kept := []string{problem[:begins[0][0]]}
	for i, at := range begins {
		end := len(problem)
		if i+1 < len(begins) {
			end = begins[i+1][0]
		}
		if line := problem[at[0]:end]; strings.HasPrefix(line, "[ALERT]") {
			kept = append(kept, line)
		}
	}
	return strings.TrimSpace(strings.Join(kept, ""))
}

func sessions(d *query.InstanceDetail) string {
	if d.Sessions == 0 {
		return ""
	}
	return fmt.Sprintf(", %s run until they end", plural(int(min(d.Sessions, 1<<31)), "session still", "sessions still"))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func inAll(workers int) string {
	if workers == 1 {
		return "the only worker"
	}
	return fmt.Sprintf("all %d workers", workers)
}

func article(by string) string {
	if by == query.ByAgent {
		return "its agent check, or an operator,"
	}
	return "an operator"
}

func serverOf(d *query.InstanceDetail) string {
	if len(d.Workers) == 0 {
		return "SERVER"
	}
	return d.Workers[0].Server
}

// near reports whether two addresses may have been confused: the same host, or the same
// port and nearly the same host.
func near(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil {
		return false
	}
	return hostA == hostB || portA == portB && hostA[:strings.LastIndexAny(hostA, ".:")+1] == hostB[:strings.LastIndexAny(hostB, ".:")+1]
}

// few lists names, at most fewNames of them.
func few(names []string) string {
	if more := len(names) - fewNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:fewNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
