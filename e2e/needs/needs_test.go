package needs

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A test whose need is missing is skipped with a reason; if CI is "true" it fails.
func TestMissingNeedSkipsTheTest(t *testing.T) {
	if os.Getenv("NEEDS_MISSING") != "" {
		Need{"it", func() error { return errors.New("it is not available") }}.of(t)
		t.Error("the test continues")
	}
	for _, run := range []struct {
		ci, want string
		code     int
	}{
		{"", LeftOut + "it: it is not available", 0},
		{"true", "it is missing: it is not available", 1},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "NEEDS_MISSING=1", "CI="+run.ci)
		output, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); code != run.code || !strings.Contains(string(output), run.want) {
			t.Errorf("CI=%s: exit code %d, no %q in:\n%s", run.ci, code, run.want, output)
		}
	}
}
