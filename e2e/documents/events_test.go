package documents

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryKindOfEventIsDocumented compares the kinds of the code with the table of
// docs/operations.md.
func TestEveryKindOfEventIsDocumented(t *testing.T) {
	var exist, documented []string
	for _, match := range regexp.MustCompile(`EventKind = "([a-z_]+)"`).FindAllStringSubmatch(read(t, "registry/event.go"), -1) {
		exist = append(exist, match[1])
	}
	_, table, _ := strings.Cut(read(t, "docs/operations.md"), "| kind | what happened |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, match := range regexp.MustCompile(`(?m)^\| ([^|]+) \|`).FindAllStringSubmatch(table, -1) {
		for _, kind := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(match[1], -1) {
			documented = append(documented, kind[1])
		}
	}
	slices.Sort(exist)
	slices.Sort(documented)
	if diff := cmp.Diff(exist, documented); diff != "" || len(exist) == 0 {
		t.Errorf("the table of docs/operations.md (-code +table):\n%s", diff)
	}
}
