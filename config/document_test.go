package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	document     = "../docs/configuration.md"
	registration = "../docs/register.md"
	readme       = "../README.md"
)

var (
	generated = regexp.MustCompile(`(?s)(<!-- generated: (\w+) -->\n).*?(<!-- end -->)`)
	option    = regexp.MustCompile(`-e (?:'([^']*)'|(\S+))`)
)

// The generated tables must match the code; -update writes them. No other document repeats
// them.
func TestDocumentTables(t *testing.T) {
	compareTables(t, document, 3)
	compareTables(t, registration, 1)
	others, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range append(others, readme) {
		if other != document && other != registration {
			compareTables(t, other, 0)
		}
	}
}

func compareTables(t *testing.T, document string, wanted int) {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	got := string(data)
	sections := map[string]bool{}
	want := generated.ReplaceAllStringFunc(got, func(match string) string {
		parts := generated.FindStringSubmatch(match)
		sections[parts[2]] = true
		return parts[1] + table(t, parts[2]) + parts[3]
	})
	if len(sections) != wanted {
		t.Errorf("%s has the generated sections %v: %d are wanted", document, sections, wanted)
	}
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is older than the code, write it with -update (-want +got):\n%s", document, diff)
	}
}

func table(t *testing.T, section string) string {
	t.Helper()
	settings := map[string][]setting{
		"proxy": proxySettings(), "group": groupSettings(), "environment": variableSettings(), "registration": registrationSettings(),
	}[section]
	var out strings.Builder
	row := func(cells ...string) {
		if section == "environment" || section == "registration" {
			cells = cells[1:]
		}
		out.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	row("key", "variable", "default", "allowed", "what it does")
	row("---", "---", "---", "---", "---")
	for _, s := range settings {
		fallback := code(s.fallback)
		if fallback != "" && s.otherwise != "" {
			fallback += "; "
		}
		row(code(s.key), code(s.variable), fallback+s.otherwise, s.allowed, s.does)
	}
	return out.String()
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// Every example of a file can be loaded, including those in README.
func TestDocumentFiles(t *testing.T) {
	examples := append(blocks(t, document, "json"), blocks(t, readme, "json")...)
	if len(examples) < 4 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, text := range examples {
		must(t, text)
	}
}

// The variables of every docker run command are valid.
func TestDocumentCommands(t *testing.T) {
	examples := blocks(t, document, "sh")
	if len(examples) < 3 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, text := range examples {
		var variables []string
		for _, match := range option.FindAllStringSubmatch(text, -1) {
			variables = append(variables, match[1]+match[2])
		}
		describe(t, strings.Join(variables, "\n"))
	}
}

// Every example of a message occurs in the goldens.
func TestDocumentMessages(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	examples := blocks(t, document, "text")
	if len(examples) == 0 {
		t.Fatal("no example")
	}
	for line := range strings.Lines(strings.Join(examples, "")) {
		if !strings.Contains(all.String(), line) {
			t.Errorf("nothing says %q", line)
		}
	}
}

// blocks returns the fenced blocks of a language in a file.
func blocks(t *testing.T, file, language string) (texts []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, match := range fence.FindAllStringSubmatch(string(data), -1) {
		texts = append(texts, match[1])
	}
	return texts
}
