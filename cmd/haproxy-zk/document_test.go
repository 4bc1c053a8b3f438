package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestCommandsAndSettingsAreDocumented compares the command line with the tables
// of docs/: each command, signal, flag and variable has its row.
func TestCommandsAndSettingsAreDocumented(t *testing.T) {
	operations, configuration := document(t, "operations.md"), document(t, "configuration.md")
	root := newRoot(io.Discard, io.Discard)

	_, commands, _ := strings.Cut(operations, "\n## Commands\n")
	commands, _, _ = strings.Cut(commands, "\n## ")
	rows := regexp.MustCompile(`(?m)^\| (.*?) \|`).FindAllString(commands, -1)
	for _, command := range root.Commands() {
		if command.Hidden {
			continue
		}
		name := regexp.MustCompile("`(haproxy-zk )?" + command.Name() + "[ `]")
		if !name.MatchString(strings.Join(rows, "\n")) {
			t.Errorf("operations.md has no row of %s", command.Name())
		}
	}

	_, table, _ := strings.Cut(operations, "\n## Signals\n")
	table, _, _ = strings.Cut(table, "\n## ")
	_, help, _ := strings.Cut(root.Long, "\nSignals:\n")
	help, _, _ = strings.Cut(help, "\nAny other")
	signals := regexp.MustCompile(`(?m)^  ([A-Z][A-Z0-9]*(?:, [A-Z0-9]+)*)\s`).FindAllStringSubmatch(help, -1)
	if len(signals) < 7 {
		t.Errorf("--help has the signals %v", signals)
	}
	for _, signal := range signals {
		if !strings.Contains(table, "\n| "+signal[1]+" | ") {
			t.Errorf("operations.md has no row of the signal %s", signal[1])
		}
	}

	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		variable := strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if !strings.Contains(configuration, "\n| `"+variable+"` | `--"+f.Name+"` | ") {
			t.Errorf("configuration.md has no row of %s and --%s", variable, f.Name)
		}
	})
}

func document(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
