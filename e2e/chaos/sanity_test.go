package chaos

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestUnexpectedLogLines(t *testing.T) {
	const died = "worker died, its connections were cut; replacing it while the others carry its load"
	for name, test := range map[string]struct {
		line   line
		active []string
		want   bool
	}{
		"information":                  {line{Level: "INFO", Msg: "HAProxy is serving"}, nil, false},
		"warning":                      {line{Level: "WARN", Msg: "anything"}, nil, false},
		"explained":                    {line{Level: "ERROR", Msg: died}, []string{"shop/crash", "processes/worker killed"}, false},
		"explained by others":          {line{Level: "ERROR", Msg: died}, []string{"processes/reload"}, true},
		"HAProxy's own":                {line{Level: "ERROR", Msg: diedDraining, Status: "killed by SIGSEGV"}, nil, false},
		"killed by an unknown process": {line{Level: "ERROR", Msg: diedDraining, Status: "killed by SIGKILL"}, nil, true},
		"not known":                    {line{Level: "ERROR", Msg: "proxy failed"}, []string{"processes/worker killed"}, true},
		"a race":                       {line{text: "WARNING: DATA RACE"}, []string{"processes/worker killed"}, true},
	} {
		if why := test.line.wrong(test.active); (why != "") != test.want {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// Every named fault exists.
func TestErrorsAreExplainedByFaults(t *testing.T) {
	known := make(map[string]bool)
	for _, l := range lanes() {
		for _, f := range l.faults {
			known[l.name+"/"+f.name] = true
		}
	}
	for message, faults := range mayFollow() {
		for _, fault := range faults {
			if !known[fault] {
				t.Errorf("%s: there is no fault %s", message, fault)
			}
		}
	}
}

// Every expected error is logged by haproxy-zk, word for word.
func TestExpectedErrorsExistInTheCode(t *testing.T) {
	var product strings.Builder
	for _, room := range []string{"daemon", "hactl", "supervisor"} {
		if err := filepath.WalkDir(filepath.Join("..", "..", room), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			product.Write(text)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for message := range mayFollow() {
		if !strings.Contains(product.String(), strconv.Quote(message)) {
			t.Errorf("nothing logs %q", message)
		}
	}
}
