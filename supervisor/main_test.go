package supervisor

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// fakeHAProxy is the executable of fakehaproxy.
var fakeHAProxy string

func TestMain(m *testing.M) {
	if deed := os.Getenv(actVariable); deed != "" {
		act(deed, os.Getenv("FILE"))
		return
	}
	// Otherwise every process with the race detector takes a second to exit.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	dir, err := os.MkdirTemp("", "hz-")
	if err == nil {
		fakeHAProxy = filepath.Join(dir, "haproxy")
		err = buildFakeHAProxy()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "set up:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// buildFakeHAProxy is done before any test: later, the test's reaper would wait for the
// compiler. Fuzzing, which may be in a copy of the package alone, needs no HAProxy.
func buildFakeHAProxy() error {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		return nil
	}
	output, err := exec.Command("go", "build", "-buildvcs=false", "-o", fakeHAProxy, "./fakehaproxy").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build fakehaproxy: %w\n%s", err, output)
	}
	return nil
}

// socketOf is what a worker of the fake HAProxy has for a stats socket.
func socketOf(dir string, pid int) string {
	return filepath.Join(dir, strconv.Itoa(pid)+".sock")
}
