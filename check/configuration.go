package check

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

// judgeConfiguration turns the result of reading the configuration into findings. cfg
// is nil if err is not.
func judgeConfiguration(cfg *config.Config, warnings []config.Problem, err error) []finding {
	var found []finding
	if problems, isProblems := errors.AsType[*config.Problems](err); isProblems {
		if before, _ := strings.CutSuffix(err.Error(), problems.Error()); before != "" {
			found = append(found, finding{Severity: isNote, Where: "configuration", Text: strings.Trim(before, ":\n")})
		}
		for _, p := range *problems {
			found = append(found, ofProblem(isError, p, cfg))
		}
	} else if err != nil {
		found = append(found, finding{Severity: isError, Where: "configuration", Text: err.Error()})
	}
	for _, p := range warnings {
		found = append(found, ofProblem(isWarning, p, cfg))
	}
	return found
}

func ofProblem(severity string, p config.Problem, cfg *config.Config) finding {
	f := finding{Severity: severity, Where: p.File, Line: p.Line, Text: p.Text}
	if p.Key != "" {
		f.Text = p.Key + ": " + p.Text
	}
	if p.Line > 0 { // otherwise the key is an environment variable
		f.Proxy = proxyOf(p.Key, cfg)
	}
	return f
}

// proxyOf returns the name of the proxy that a key begins with; names may contain dots.
func proxyOf(key string, cfg *config.Config) string {
	name := ""
	if cfg == nil {
		name, _, _ = strings.Cut(key, ".")
		return name
	}
	for _, p := range cfg.Proxies {
		if (key == p.Name || strings.HasPrefix(key, p.Name+".")) && len(p.Name) > len(name) {
			name = p.Name
		}
	}
	return name
}

var templateLine = regexp.MustCompile(`(?s)^(/.*?): line (\d+): (.*)$`)

// parseTemplate parses the template of a proxy whose HAProxy is missing.
func parseTemplate(p config.Proxy) error {
	if p.Template == "" {
		return nil
	}
	text, err := os.ReadFile(p.Template)
	if err != nil {
		return fmt.Errorf("%s.template: read the template: %w", p.Name, err)
	}
	if _, err := haproxy.ParseTemplate(string(text)); err != nil {
		return fmt.Errorf("%s.template: %s: %w", p.Name, p.Template, err)
	}
	return nil
}

// judgePlan turns the errors of planning a proxy into findings.
func judgePlan(p config.Proxy, err error) []finding {
	if err == nil {
		return nil
	}
	var found []finding
	for _, sentence := range plan.Sentences(err) {
		f := finding{Proxy: p.Name, Severity: isError, Where: p.Name, Text: sentence}
		if key, text, isKey := strings.Cut(sentence, ": "); isKey && strings.HasPrefix(key, p.Name+".") {
			f.Where, f.Text = key, text
		}
		if m := templateLine.FindStringSubmatch(f.Text); m != nil {
			f.Where, f.Text = m[1], m[3]
			f.Line, _ = strconv.Atoi(m[2]) // the pattern ensures digits
		}
		if f.Where == p.Name+".exec" {
			f.Remedy = "install HAProxy, or set `exec` to its executable"
		}
		found = append(found, f)
	}
	return found
}

// judgeVersion finds a version past its end of life at that time.
func judgeVersion(p config.Proxy, v haproxy.Version, now time.Time) (found []finding) {
	if v.StartsUnseen() {
		found = append(found, finding{
			Proxy: p.Name, Severity: isWarning, Where: p.Name + ".exec",
			Text:   "HAProxy " + v.String() + " reports its start before it has read its configuration: on a busy machine a start or reload may fail (`killed by SIGPIPE`)",
			Remedy: "use HAProxy 3.1.1 or later",
		})
	}
	if v.EndOfLife(now) {
		found = append(found, finding{
			Proxy: p.Name, Severity: isNote, Where: p.Name + ".exec",
			Text:   "HAProxy " + v.String() + ": " + v.Support(now),
			Remedy: "use a supported version, such as " + haproxy.Recommended + "; the haproxy-zk configuration stays the same",
		})
	}
	return found
}
