package daemon

import (
	"fmt"
	"path/filepath"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// beside is the error of a start while an HAProxy left by an earlier daemon is still
// serving. Whatever failed, haproxy-zk has to be started again: nothing updates the
// instances of that HAProxy.
type beside struct {
	problem error
	pids    []int
}

func (b beside) Error() string {
	return fmt.Sprintf("%v\nHAProxy %d is still running from an earlier start, and nothing updates its instances: correct the error, and the next start takes it over", b.problem, b.pids)
}

// BesideHAProxy makes a permanent error temporary if an HAProxy is serving that was
// started with this run directory. Other errors are returned unchanged.
func BesideHAProxy(err error, runDir string) error {
	if exitcode.Of(err) != exitcode.Usage {
		return err
	}
	records, _ := filepath.Glob(filepath.Join(runDir, "*"+recordSuffix)) // Glob fails only for a malformed pattern
	var pids []int
	for _, record := range records {
		pids = append(pids, supervisor.Recorded(record)...)
	}
	if len(pids) == 0 {
		return err
	}
	return beside{err, pids}
}

// recordSuffix is the suffix of the file in RUN_DIR that identifies a proxy's HAProxy.
const recordSuffix = ".workers"
