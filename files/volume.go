package files

import (
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Kubernetes writes a volume of a ConfigMap, a Secret or the downward API like this, so
// that all files change at once:
//
//	web.instances -> ..data/web.instances
//	..data        -> ..2026_01_02_03_04_05.123456789
//	..2026_01_02_03_04_05.123456789/web.instances
//
// A change is written into another directory of that kind, ..data is replaced by renaming
// another link over it, and the old directory is removed. See AtomicWriter in
// https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go.
const (
	volumeData  = "..data"
	volumeTries = 5
)

// errUnsteady means that a volume was replaced again and again while it was read.
var errUnsteady = errors.New("the volume keeps changing while it is read")

// tree has the directories opened for one reading.
type tree struct {
	opened []*folder
	pins   []pin
}

// pin is the directory that a volume had when it was read.
type pin struct {
	volume *folder
	target string
}

func (t *tree) close() {
	for _, f := range t.opened {
		_ = f.Close()
	}
}

// keep makes close close f.
func (t *tree) keep(f *folder, err error) (*folder, error) {
	if err == nil {
		t.opened = append(t.opened, f)
	}
	return f, err
}

// steady reports whether no volume that was read has been replaced meanwhile: files of the
// old directory may have been missing.
func (t *tree) steady() bool {
	for _, p := range t.pins {
		if now, err := p.volume.target(volumeData); err != nil || now != p.target {
			return false
		}
	}
	return true
}

// look returns what an entry of in is, and the directory that has it: for an entry of a
// volume, the one behind ..data, otherwise in itself.
func (t *tree) look(in *folder, name string) (kind, *folder, error) {
	k, err := in.kind(name)
	if err != nil || k != link {
		return k, in, err
	}
	behind, isVolume, err := t.behind(in, name)
	if err != nil || !isVolume {
		return k, in, err
	}
	if k, err = behind.kind(name); err == nil && k == link {
		k = missing // kubelet writes no such link
	}
	return k, behind, err
}

// behind returns the directory behind ..data if name is a link into it.
func (t *tree) behind(in *folder, name string) (f *folder, isVolume bool, err error) {
	if target, err := in.target(name); err != nil || target != volumeData+"/"+name {
		return nil, false, nil
	}
	for _, p := range t.pins {
		if p.volume == in {
			for _, f := range t.opened {
				if f.path == in.join(p.target) {
					return f, true, nil
				}
			}
		}
	}
	target, err := in.target(volumeData)
	if err != nil || !strings.HasPrefix(target, "..") || !safe(target) {
		return nil, false, nil
	}
	t.pins = append(t.pins, pin{in, target})
	f, err = t.keep(in.sub(target))
	return f, true, err
}

// descend opens a directory in another. A missing one is nil.
func (t *tree) descend(in *folder, name string) (*folder, error) {
	k, in, err := t.look(in, name)
	switch {
	case err != nil:
		return nil, err
	case k == missing:
		return nil, nil
	case k != folders:
		return nil, &fs.PathError{Op: "open", Path: in.join(name), Err: wrongKind(k)}
	}
	f, err := t.keep(in.sub(name))
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	return f, err
}

// steadily calls read with a tree until no volume has been replaced during the call.
func steadily(read func(*tree) error) error {
	for range volumeTries {
		t := &tree{}
		err := read(t)
		steady := t.steady()
		t.close()
		if steady {
			return err
		}
	}
	return errUnsteady
}
