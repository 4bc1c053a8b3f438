package documents

import (
	"strings"
	"testing"
)

// provedBy maps the beginnings of the README's lines of code to the tests that run
// them.
func provedBy() map[string]string {
	return map[string]string{
		"docker compose ":             "TestCompose",
		"curl localhost:8080/shop/":   "TestCompose",
		"docker build ":               "TestRunItOfTheREADME",
		"docker network ":             "TestRunItOfTheREADME",
		"docker run ":                 "TestRunItOfTheREADME",
		"mkdir ":                      "TestRunItOfTheREADME",
		"touch ":                      "TestRunItOfTheREADME",
		"create ":                     "TestRunItOfTheREADME",
		"from kazoo":                  "TestRunItOfTheREADME",
		"zk.create":                   "TestRunItOfTheREADME",
		"make demo":                   "TestDemoOfTheREADME",
		"haproxy-zk check ":           "TestConfigurationOfTheREADME",
		"haproxy-zk render ":          "TestConfigurationOfTheREADME",
		"haproxy-zk        --config ": "TestConfigurationOfTheREADME",
		"haproxy-zk explain ":         "TestConfigurationOfTheREADME",
	}
}

// TestEveryCommandOfTheREADMEIsRun finds commands that no test runs.
func TestEveryCommandOfTheREADMEIsRun(t *testing.T) {
	exists := testsByName(t)
	fenced := false
	used := make(map[string]bool)
	for line := range strings.Lines(read(t, "README.md")) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		code, ok := strings.CutPrefix(line, "    ")
		if !ok || fenced {
			continue
		}
		proved := false
		for begins, test := range provedBy() {
			if strings.HasPrefix(code, begins) {
				proved, used[begins] = exists[test], true
			}
		}
		if !proved {
			t.Errorf("no test runs %s", code)
		}
	}
	for begins := range provedBy() {
		if !used[begins] {
			t.Errorf("README.md does not show %s", begins)
		}
	}
}
