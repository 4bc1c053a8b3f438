package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// recordFile is the file name of the [Record] in RUN_DIR.
const recordFile = "running.json"

// maxRecord is far more than ten thousand proxies need.
const maxRecord = 16 << 20

// Record is what the host commands need to know about a haproxy-zk after it has ended
// or its configuration has changed: where it listens, and the files that identify its
// HAProxys.
type Record struct {
	HTTPAddr  string          `json:"http_addr"`
	LogListen string          `json:"log_listen,omitempty"`
	Proxies   []RecordedProxy `json:"proxies"`
}

// RecordedProxy has the files of one proxy, with absolute paths, and its stop grace.
type RecordedProxy struct {
	Name        string        `json:"name"`
	ConfFile    string        `json:"conf_file"`
	PIDFile     string        `json:"pid_file"`
	SocketFiles []string      `json:"socket_files"`
	StopGrace   time.Duration `json:"stop_grace_ns"`
}

// Write replaces the record in runDir.
func (r Record) Write(runDir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write what runs: %w", err)
	}
	if err := ownfile.ReplaceReadable(filepath.Join(runDir, recordFile), append(text, '\n')); err != nil {
		return fmt.Errorf("write what runs: %w", err)
	}
	return nil
}

// ReadRecord returns the record in runDir; false if there is none. Since files named in
// it are removed and processes killed, it must belong to this user or to root.
func ReadRecord(runDir string) (r Record, found bool, err error) {
	path := filepath.Join(runDir, recordFile)
	text, err := ownfile.Opener{}.Read(path, maxRecord)
	refusal, refused := errors.AsType[*ownfile.Refusal](err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Record{}, false, nil
	case refused:
		return Record{}, false, fmt.Errorf("%s is not trusted: it %s; run the command as the user that haproxy-zk runs as", path, refusal.Reason)
	case err != nil:
		return Record{}, false, fmt.Errorf("read what runs: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return Record{}, false, fmt.Errorf("read what runs: %s: %w; remove the file", path, err)
	}
	for _, p := range r.Proxies {
		if !filepath.IsAbs(p.ConfFile) || !filepath.IsAbs(p.PIDFile) {
			return Record{}, false, fmt.Errorf("read what runs: %s: proxy %q has a file without an absolute path; remove the file", path, p.Name)
		}
	}
	return r, true, nil
}
