package supervisor

import (
	"errors"
	"io/fs"
	"os"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

const (
	// backupSuffix is appended to a file's name while another file takes its place.
	backupSuffix = ".kept"
	// maxBackup is far above the configuration of 100,000 servers.
	maxBackup = 256 << 20
)

// backup is the original of a file. It is a second link, so that restoring it needs no
// space on a disk that may be full by then.
type backup struct {
	path    string
	existed bool
}

// makeBackup saves a file until restore or discard is called.
func makeBackup(path string) (backup, error) {
	k := backup{path: path}
	if err := k.discard(); err != nil { // left by a process that was killed
		return k, ownfile.Explain(path+backupSuffix, err)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return k, nil
	case err != nil:
		return k, err
	}
	if err := os.Link(path, path+backupSuffix); err != nil {
		// The file belongs to another user (protected_hardlinks in proc_sys_fs(5)), or the
		// file system has no hard links.
		if !info.Mode().IsRegular() {
			return k, ownfile.Explain(path, ownfile.Remove(path)) // HAProxy would write through a link
		}
		content, err := readOwn(path, maxBackup)
		if err != nil {
			return k, ownfile.Explain(path, err)
		}
		if err := ownfile.Replace(path+backupSuffix, content, info.Mode().Perm()); err != nil {
			return k, err
		}
	}
	k.existed = true
	return k, nil
}

// restore puts the original back.
func (k backup) restore() error {
	if !k.existed {
		return ownfile.Remove(k.path)
	}
	if err := os.Rename(k.path+backupSuffix, k.path); err != nil {
		return err
	}
	return k.discard() // rename(2) does nothing if both names are links to one file
}

// discard removes the backup.
func (k backup) discard() error { return ownfile.Remove(k.path + backupSuffix) }
