package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// checkTemplate asks HAProxy about the rendered configuration, and looks for
// what it does not tell.
func checkTemplate(ctx context.Context, reaper *supervisor.Reaper, pl *plan, rendered []byte) []finding {
	places := newPlaces(pl, rendered)
	output, err := askHAProxy(ctx, reaper, pl, rendered)
	refused, isRefused := errors.AsType[*supervisor.ExitError](err)
	if err != nil && !isRefused {
		return []finding{{
			Proxy: pl.Name, Severity: isError, Where: pl.Name + ".exec",
			Text: fmt.Sprintf("HAProxy cannot be asked about the configuration: %v", err),
		}}
	}
	if isRefused {
		output = refused.Output
	}
	said := haproxyWords(output)
	if isRefused && !slices.ContainsFunc(said, func(w words) bool { return w.alert }) {
		said = append(said, words{alert: true, text: "HAProxy refuses the configuration: " + refused.Error()})
	}
	return mergeWords(pl.Name, places, traps(pl), said, isRefused)
}

const askWithin = 60 * time.Second

// askHAProxy runs haproxy -c on a file that is gone when it returns, and is
// called in its answer what it will be called.
func askHAProxy(ctx context.Context, reaper *supervisor.Reaper, pl *plan, rendered []byte) (string, error) {
	dir, err := os.MkdirTemp("", "haproxy-zk-check-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the rendered configuration: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, filepath.Base(pl.ConfFile))
	if err := os.WriteFile(file, rendered, 0o600); err != nil {
		return "", fmt.Errorf("write the rendered configuration: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	output, err := reaper.Output(ctx, pl.executable, "-c", "-f", file)
	if refused, isRefused := errors.AsType[*supervisor.ExitError](err); isRefused {
		refused.Output = strings.ReplaceAll(refused.Output, file, pl.ConfFile)
	}
	return strings.ReplaceAll(output, file, pl.ConfFile), err
}

// words is one message of HAProxy.
type words struct {
	alert bool
	line  int // of the rendered configuration; 0 is none
	text  string
}

var (
	// `[ALERT] 325/101902 (4711) : …` up to 2.2, `[ALERT]    (4711) : config : …` later.
	message  = regexp.MustCompile(`^\[([A-Z]+)\]\s+(?:\d+/\d+ )?\(\d+\) : (?:config : )?(.*)$`)
	position = regexp.MustCompile(`^(?:parsing )?\[[^\]]+:(\d+)\]\s*:\s*`)
)

// haproxyWords takes what HAProxy prints apart: messages of one line or more,
// without its NOTICEs and its closing words.
func haproxyWords(output string) []words {
	var said []words
	listening := false
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		m := message.FindStringSubmatch(line)
		if m == nil {
			more := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "|"))
			switch more {
			case "", "Warnings were found.", "Configuration file is valid":
			default:
				if listening {
					said[len(said)-1].text += " " + more
				}
			}
			continue
		}
		closing := strings.HasPrefix(m[2], "Error(s) found in configuration file") || strings.HasPrefix(m[2], "Fatal errors found in configuration")
		listening = m[1] != "NOTICE" && !closing
		if !listening {
			continue
		}
		w := words{alert: m[1] != "WARNING", text: m[2]}
		if p := position.FindStringSubmatch(w.text); p != nil {
			w.text = w.text[len(p[0]):]
			w.line, _ = strconv.Atoi(p[1]) // digits by the pattern
		}
		said = append(said, w)
	}
	return said
}

// mergeWords makes findings of the traps and of HAProxy's own words. Where both
// are about the same thing it is one finding, and how grave it is HAProxy says:
// from its version alone it was a guess.
func mergeWords(proxy string, places places, traps []located, said []words, refused bool) []finding {
	var found []finding
	known := make([]bool, len(said))
	for _, trap := range traps {
		f := finding{Proxy: proxy, Severity: isWarning, Where: trap.where, Line: trap.Line, Text: trap.Text, Remedy: trap.Remedy}
		if trap.Fatal && refused {
			f.Severity = isError
		}
		for i, w := range said {
			where, line := places.of(w.line)
			switch {
			case trap.Says != "" && strings.HasPrefix(w.text, trap.Says):
				known[i] = true
			case w.line > 0 && where == trap.where && line == trap.Line:
				known[i] = true
				f.Text += fmt.Sprintf(" (HAProxy: %q)", w.text)
				if w.alert {
					f.Severity = isError
				}
			}
		}
		found = append(found, f)
	}
	for i, w := range said {
		if known[i] {
			continue
		}
		f := finding{Proxy: proxy, Severity: isWarning, Text: "HAProxy: " + w.text, Remedy: remedyOf(w.text)}
		if w.alert {
			f.Severity = isError
		}
		f.Where, f.Line = places.of(w.line)
		if m := named.FindStringSubmatch(w.text); m != nil && w.line == 0 {
			f.Where, f.Line = places.section(m[1])
		}
		if w.line > 0 && f.Remedy == "" {
			f.Remedy = places.quote(w.line)
		}
		found = append(found, f)
	}
	slices.SortStableFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Line, b.Line))
	})
	return found
}

// named is how HAProxy tells of a whole section.
var named = regexp.MustCompile(`(?:frontend|backend|listen|proxy|Proxy) '([^']+)'`)

// remedyOf knows a remedy for what HAProxy says of the seed's template.
func remedyOf(text string) string {
	switch {
	case strings.HasPrefix(text, "log format ignored for"):
		return "add `log global` to the defaults"
	case strings.Contains(text, "in multi-process mode"):
		return "name one socket file, ask the query API instead, or take HAProxy 2.5 or later, which has threads"
	}
	return ""
}

// located is a trap and the file, or the key, that it is in.
type located struct {
	hactl.Trap

	where string
}

// traps are those of the template and those of the groups' own settings.
func traps(pl *plan) []located {
	var all []located
	for _, trap := range pl.template.Traps(pl.frame.Version) {
		all = append(all, located{trap, templateName(pl)})
	}
	for _, g := range pl.Groups {
		for _, trap := range hactl.LineTraps("option httpchk "+g.HTTPCheck, pl.frame.Version) {
			all = append(all, located{trap, pl.Name + ".groups." + g.Name})
		}
	}
	return all
}
