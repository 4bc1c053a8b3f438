package documents

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// read returns the text of a file of the repository.
func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documents returns the Markdown files that users and contributors read.
func documents(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "docs/*/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			file, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	return files
}

// sources returns the module's Go files, either tests or all others.
func sources(t *testing.T, tests bool) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "dist"}, path):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && strings.HasSuffix(path, "_test.go") == tests:
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestREADMEIsShort(t *testing.T) {
	for _, file := range documents(t) {
		if !strings.HasPrefix(file, "README") {
			continue
		}
		text := read(t, file)
		if lines := strings.Count(text, "\n"); len(text) > 8000 || lines > 150 {
			t.Errorf("%s has %d bytes in %d lines; at most 8000 in 150: move details to docs/", file, len(text), lines)
		}
	}
}

// TestLinksLeadSomewhere follows the links within the repository.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, file := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(withoutCode(read(t, file)), -1) {
			path, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: %s: %v", file, match[1], err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: %s: no such heading", file, match[1])
			}
		}
	}
}

// anchors returns GitHub's anchors of a text's headings.
func anchors(text string) (found []string) {
	for _, heading := range headings(text) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimLeft(heading, "# "))
		found = append(found, name)
	}
	return found
}

// headings returns the lines of a text that are headings.
func headings(text string) []string {
	return regexp.MustCompile(`(?m)^#{1,6} .*$`).FindAllString(withoutCode(text), -1)
}

var fence = regexp.MustCompile("(?ms)^```.*?^```$")

// withoutCode returns a text without its fenced blocks.
func withoutCode(text string) string { return fence.ReplaceAllString(text, "") }

// TestEveryMetricIsDocumented compares the metrics of the code with those of
// docs/operations.md.
func TestEveryMetricIsDocumented(t *testing.T) {
	name := regexp.MustCompile(`"(haproxyzk_[a-z_]+)"`)
	exist := make(map[string]bool)
	for _, file := range sources(t, false) {
		if strings.HasPrefix(file, "e2e/") {
			continue
		}
		for _, match := range name.FindAllStringSubmatch(read(t, file), -1) {
			exist[match[1]] = true
		}
	}
	documented := make(map[string]bool)
	for _, match := range regexp.MustCompile("(?m)^\\| `(haproxyzk_[a-z_]+)` \\|").FindAllStringSubmatch(read(t, "docs/operations.md"), -1) {
		documented[match[1]] = true
	}
	if diff := cmp.Diff(exist, documented); diff != "" {
		t.Errorf("the table of docs/operations.md (-code +table):\n%s", diff)
	}
	ofHistogram := regexp.MustCompile(`_(bucket|sum|count)$`)
	for _, file := range documents(t) {
		for _, metric := range regexp.MustCompile(`haproxyzk_[a-z_]+[a-z]`).FindAllString(read(t, file), -1) {
			if !exist[metric] && !exist[ofHistogram.ReplaceAllString(metric, "")] {
				t.Errorf("%s: there is no metric %s", file, metric)
			}
		}
	}
}

// TestEveryMakeTargetIsDocumented compares the Makefile with HACKING.md.
func TestEveryMakeTargetIsDocumented(t *testing.T) {
	text := read(t, "HACKING.md")
	targets := regexp.MustCompile(`(?m)^([a-z-]+):.*## `).FindAllStringSubmatch(read(t, "Makefile"), -1)
	if len(targets) < 15 {
		t.Fatalf("%d targets", len(targets))
	}
	for _, target := range targets {
		if target[1] != "help" && !regexp.MustCompile(`(?m)make `+target[1]+`(\s|`+"`"+`|$)`).MatchString(text) {
			t.Errorf("HACKING.md does not mention make %s", target[1])
		}
	}
	exist := make(map[string]bool)
	for _, target := range targets {
		exist[target[1]] = true
	}
	for _, file := range documents(t) {
		for _, match := range regexp.MustCompile("(?m)^    make ([a-z-]+)|`make ([a-z-]+)(?: [A-Z]+=[^`]*)?`").FindAllStringSubmatch(read(t, file), -1) {
			if target := match[1] + match[2]; !exist[target] {
				t.Errorf("%s: there is no make %s", file, target)
			}
		}
	}
}

// TestEveryDependencyIsExplained compares go.mod with HACKING.md.
func TestEveryDependencyIsExplained(t *testing.T) {
	direct, _, _ := strings.Cut(read(t, "go.mod"), "\n)\n")
	text := read(t, "HACKING.md")
	for _, module := range regexp.MustCompile(`(?m)^\t(\S+) v`).FindAllStringSubmatch(direct, -1) {
		if !strings.Contains(text, "| "+module[1]+" | ") {
			t.Errorf("HACKING.md does not say why there is %s", module[1])
		}
	}
}

// TestComposeCommandsOfTheREADME compares the README with compose.yaml.
func TestComposeCommandsOfTheREADME(t *testing.T) {
	var shown []string
	for line := range strings.Lines(read(t, "README.md")) {
		if command, ok := strings.CutPrefix(line, "    docker compose "); ok {
			shown = append(shown, strings.TrimSpace(command))
		}
	}
	if len(shown) == 0 {
		t.Fatal("README.md shows no docker compose")
	}
	for _, command := range shown {
		if !strings.Contains(read(t, "compose.yaml"), "#   docker compose "+command) {
			t.Errorf("compose.yaml does not show docker compose %s", command)
		}
	}
}

// TestMessagesOfTroubleshootingExist finds every quoted message in the code.
func TestMessagesOfTroubleshootingExist(t *testing.T) {
	var code strings.Builder
	for _, file := range sources(t, false) {
		code.WriteString(strings.ReplaceAll(read(t, file), `\"`, `"`))
	}
	span := regexp.MustCompile("^\\| `([^`]+)`( \\(HAProxy\\))? \\|")
	messages := 0
	for line := range strings.Lines(read(t, "docs/troubleshooting.md")) {
		match := span.FindStringSubmatch(line)
		if match == nil {
			if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| message |") {
				t.Errorf("the line does not begin with a message: %s", line)
			}
			continue
		}
		messages++
		if match[2] != "" {
			continue // it is not ours
		}
		for part := range strings.SplitSeq(match[1], "…") {
			if !strings.Contains(code.String(), strings.TrimSpace(part)) {
				t.Errorf("nothing says %q", part)
			}
		}
	}
	if messages < 40 {
		t.Errorf("%d messages", messages)
	}
}
