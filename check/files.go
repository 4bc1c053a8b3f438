package check

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/accesslog"
	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// checkFiles checks the directories of a proxy's files.
func checkFiles(p config.Proxy) []finding {
	var found []finding
	var seen []string
	look := func(key, path string) {
		key = p.Name + "." + key
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			found = append(found, finding{
				Proxy: p.Name, Severity: isError, Where: key,
				Text: path + " is a folder", Remedy: "name a file in it",
			})
		}
		if dir := filepath.Dir(path); !slices.Contains(seen, dir) {
			seen = append(seen, dir)
			found = append(found, checkFolder(p.Name, key, dir)...)
		}
	}
	look("conf_file", p.ConfFile)
	look("pid_file", p.PIDFile)
	for i, path := range p.SocketFiles {
		look("socket_files["+strconv.Itoa(i)+"]", path)
	}
	return found
}

// checkFolder checks whether files can be created in dir, or dir itself if it is
// missing. It removes whatever it creates.
func checkFolder(proxy, where, dir string) []finding {
	err := plan.TryFolder(dir)
	if err == nil {
		return nil
	}
	return []finding{{
		Proxy: proxy, Severity: isError, Where: where,
		Text:   fmt.Sprintf("user %d cannot write to the folder %s: %v", os.Geteuid(), dir, err),
		Remedy: plan.FolderRemedy(where, dir, err),
	}}
}

// checkAccessLog checks whether ACCESS_LOG can be written.
func checkAccessLog(where string) []finding {
	if where == "" || where == accesslog.Off || where == accesslog.Stdout {
		return nil
	}
	if err := accesslog.Check(where); err != nil {
		return []finding{{
			Severity: isError, Where: "ACCESS_LOG",
			Text:   fmt.Sprintf("user %d cannot write the access log: %v", os.Geteuid(), err),
			Remedy: "name a file of this user in a directory that it can write to, or a FIFO",
		}}
	}
	return nil
}

// checkLimit checks the limit of open files.
func checkLimit(p config.Proxy, wanted, needed uint64) []finding {
	limit, raisable, err := plan.FileLimit(wanted)
	if err != nil {
		return []finding{{Proxy: p.Name, Severity: isError, Where: p.Name, Text: fmt.Sprintf("read the limit of open files: %v", err)}}
	}
	return judgeLimit(p, wanted, needed, limit, raisable)
}

// judgeLimit decides as the supervisor does when it starts HAProxy.
func judgeLimit(p config.Proxy, wanted, needed, hard uint64, raisable bool) []finding {
	if hard >= wanted || raisable {
		return nil
	}
	f := finding{
		Proxy: p.Name, Severity: isWarning, Where: p.Name,
		Text:   supervisor.FewFiles(wanted, hard),
		Remedy: supervisor.FewFilesRemedy(wanted),
	}
	if hard < needed {
		f.Severity = isError
		f.Text = fmt.Sprintf("HAProxy needs %d open files with no slot occupied, the hard limit is %d", needed, hard)
	}
	return []finding{f}
}
