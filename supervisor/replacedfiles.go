package supervisor

import (
	"errors"
	"fmt"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// replacedFiles are the files of the running generation while those of a launch are in
// their place.
type replacedFiles []backup

// replaceFiles writes the files of a launch, those that the configuration names first. On
// error nothing has changed.
func (h *HAProxy) replaceFiles(launch registry.Launch) (old replacedFiles, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, old.restore())
		}
	}()
	keep := func(what, path string) error {
		b, err := makeBackup(path)
		if err != nil {
			return fmt.Errorf("back up %s: %w", what, err)
		}
		old = append(old, b)
		return nil
	}
	if err := errors.Join(keep("the running configuration", h.ConfFile), keep("the running HAProxy's pid file", h.PIDFile)); err != nil {
		return old, err
	}
	for _, m := range launch.Maps {
		if err := keep("the running configuration's map", m.Path); err != nil {
			return old, err
		}
	}
	return old, h.writeFiles(launch, ownfile.AsideSuffix)
}

// writeFiles writes the configuration and its maps by files with a suffix.
func (h *HAProxy) writeFiles(launch registry.Launch, suffix string) error {
	for _, m := range launch.Maps {
		if err := ownfile.ReplaceBy(suffix, m.Path, m.Text, confMode); err != nil {
			return fmt.Errorf("write a map of the configuration: %w", err)
		}
	}
	if err := ownfile.ReplaceBy(suffix, h.ConfFile, launch.Config, confMode); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

// restore puts the files back.
func (r replacedFiles) restore() (err error) {
	for _, b := range r {
		err = errors.Join(err, b.restore())
	}
	return err
}

// discard removes the originals.
func (r replacedFiles) discard() (err error) {
	for _, b := range r {
		err = errors.Join(err, b.discard())
	}
	return err
}
