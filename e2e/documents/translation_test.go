package documents

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// translations are the Chinese documents, by their originals.
func translations() map[string]string {
	return map[string]string{
		"README.md":                 "README.zh-CN.md",
		"docs/migration.md":         "docs/zh-CN/migration.md",
		"docs/troubleshooting.md":   "docs/zh-CN/troubleshooting.md",
		"docs/deploy/README.md":     "docs/zh-CN/deploy/README.md",
		"docs/deploy/anycast.md":    "docs/zh-CN/deploy/anycast.md",
		"docs/deploy/kubernetes.md": "docs/zh-CN/deploy/kubernetes.md",
		"docs/deploy/sizing.md":     "docs/zh-CN/deploy/sizing.md",
		"docs/deploy/swarm.md":      "docs/zh-CN/deploy/swarm.md",
		"docs/deploy/vrrp.md":       "docs/zh-CN/deploy/vrrp.md",
	}
}

// TestTranslationsFollowTheirOriginals compares what does not depend on the language:
// levels of headings, code blocks, commands, rows of tables, and quoted messages.
func TestTranslationsFollowTheirOriginals(t *testing.T) {
	for original, translation := range translations() {
		english, chinese := read(t, original), read(t, translation)
		for what, of := range map[string]func(string) []string{
			"headings":            levels,
			"fenced blocks":       fencedBlocks,
			"indented code":       indentedCode,
			"cells of the tables": cellsPerRow,
			"quoted messages":     quotedMessages,
		} {
			if diff := cmp.Diff(of(english), of(chinese)); diff != "" {
				t.Errorf("%s of %s (-%s +%s):\n%s", what, translation, original, translation, diff)
			}
		}
	}
}

func TestTranslationsAreLinkedAtTheTop(t *testing.T) {
	for original, translation := range translations() {
		for from, to := range map[string]string{original: translation, translation: original} {
			path, err := filepath.Rel(filepath.Dir(from), to)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(read(t, from), "\n\n")
			if first, _, _ := strings.Cut(rest, "\n"); !strings.Contains(first, "]("+path+")") {
				t.Errorf("%s does not begin with a link to %s", from, path)
			}
		}
	}
}

func levels(text string) (found []string) {
	for _, heading := range headings(text) {
		marks, _, _ := strings.Cut(heading, " ")
		found = append(found, marks)
	}
	return found
}

// fencedBlocks returns the blocks without comments and diagrams, which are translated.
func fencedBlocks(text string) (found []string) {
	for _, block := range fence.FindAllString(text, -1) {
		if !strings.HasPrefix(block, "```text") {
			found = append(found, block)
		}
	}
	return found
}

// indentedCode returns the indented lines without comments.
func indentedCode(text string) (found []string) {
	comment := regexp.MustCompile(` +# .*$`)
	for line := range strings.Lines(withoutCode(text)) {
		if strings.HasPrefix(line, "    ") {
			found = append(found, comment.ReplaceAllString(strings.TrimSpace(line), ""))
		}
	}
	return found
}

// cellsPerRow returns the skeleton of each row of a table.
func cellsPerRow(text string) (found []string) {
	for line := range strings.Lines(withoutCode(text)) {
		if strings.HasPrefix(line, "|") {
			found = append(found, strings.Repeat("|", strings.Count(line, "|")))
		}
	}
	return found
}

// quotedMessages returns the first cells of rows that are code.
func quotedMessages(text string) (found []string) {
	for _, match := range regexp.MustCompile("(?m)^\\| (`[^`]+`)(?: \\(HAProxy\\))? \\|").FindAllStringSubmatch(withoutCode(text), -1) {
		found = append(found, match[1])
	}
	return found
}
