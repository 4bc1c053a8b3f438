package documents

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFaultsNameTheirTests checks docs/faults.md: each line of its tables has a
// symptom, an effect, a remedy, and names tests that exist.
func TestFaultsNameTheirTests(t *testing.T) {
	exists := testsByName(t)
	faults := 0
	for line := range strings.Lines(read(t, "docs/faults.md")) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| symptom ") {
			continue
		}
		faults++
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if len(cells) != 4 || slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) == "" }) {
			t.Errorf("a fault has four cells: symptom, effect, remedy and tests: %s", line)
			continue
		}
		names := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, name := range names {
			if !exists[name[1]] {
				t.Errorf("%s: no such test", name[1])
			}
		}
	}
	if faults < 60 {
		t.Errorf("%d faults", faults)
	}
}

// testsByName returns the tests of the module.
func testsByName(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for _, file := range sources(t, true) {
		for _, name := range regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`).FindAllStringSubmatch(read(t, file), -1) {
			names[name[1]] = true
		}
	}
	return names
}

// TestTestsNamedInDocumentsExist finds names of tests that were renamed. A `-run` may name
// the beginning of several.
func TestTestsNamedInDocumentsExist(t *testing.T) {
	exists := testsByName(t)
	for _, file := range documents(t) {
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(read(t, file), -1) {
			found := exists[name]
			for test := range exists {
				found = found || strings.HasPrefix(test, name)
			}
			if !found {
				t.Errorf("%s names %s, which does not exist", file, name)
			}
		}
	}
}
