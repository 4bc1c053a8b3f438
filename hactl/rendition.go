package hactl

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// rendition is what a generation is started from: a layout, the groups that its
// configuration has, and their tables.
type rendition struct {
	layout Layout
	groups []*group
	tables []*slots.Table
}

// rendition returns the desired state.
func (d *desired) rendition() rendition {
	r := rendition{layout: d.layout, groups: d.rendered()}
	for _, g := range r.groups {
		r.tables = append(r.tables, g.table)
	}
	return r
}

// config returns the configuration.
func (r rendition) config() []byte {
	rows := make([][]haproxy.Row, len(r.tables))
	for i, t := range r.tables {
		rows[i] = r.groups[i].carrier.Rows(t)
	}
	return r.render(rows)
}

// shape identifies the configuration without what stats sockets can change: it depends
// only on the version, the frame, the groups and their numbers of slots.
func (r rendition) shape() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v\n%s", r.layout.Frame.Version, r.skeleton()))
	return hex.EncodeToString(sum[:])
}

// skeleton returns the configuration, with its maps, without what stats sockets can change.
func (r rendition) skeleton() []byte {
	r = r.fixed()
	free := make([][]haproxy.Row, len(r.tables))
	for i, t := range r.tables {
		if t.Elastic() {
			free[i] = []haproxy.Row{{Addr: anyAddr(), Named: true}} // whatever servers there are
			continue
		}
		free[i] = make([]haproxy.Row, len(t.Slots))
	}
	return fmt.Appendf(r.render(free), "%s", r.maps())
}

// fixed returns the rendition without the groups whose backends come and go at run time.
func (r rendition) fixed() rendition {
	fixed := rendition{layout: r.layout}
	for i, g := range r.groups {
		if !g.live() {
			fixed.groups, fixed.tables = append(fixed.groups, g), append(fixed.tables, r.tables[i])
		}
	}
	return fixed
}

// anyAddr stands for the address of any instance.
func anyAddr() netip.AddrPort { return netip.AddrPortFrom(netip.IPv4Unspecified(), 1) }

// launch returns what starts HAProxy with the rendition.
func (r rendition) launch(cause Cause) registry.Launch {
	l := registry.Launch{Config: r.config(), Shape: r.shape(), Cause: string(cause)}
	l.FilesWanted, l.FilesNeeded = r.files(l.Config)
	l.Maps = r.mapFiles()
	return l
}

// mapFiles returns the files of the maps.
func (r rendition) mapFiles() (files []registry.Map) {
	for _, m := range r.maps() {
		files = append(files, registry.Map{Path: m.Path, Text: m.Text()})
	}
	return files
}

// maps returns the maps of the configuration.
func (r rendition) maps() []haproxy.Map { return r.layout.Template.Maps(r.layout.Frame, r.backends()) }

func (r rendition) backends() []haproxy.Backend {
	backends := make([]haproxy.Backend, len(r.groups))
	for i, g := range r.groups {
		backends[i] = g.backend
	}
	return backends
}

func (r rendition) render(rows [][]haproxy.Row) []byte {
	return r.layout.Template.Render(r.layout.Frame, r.backends(), rows)
}

// files returns [haproxy.Files] of the configuration.
func (r rendition) files(config []byte) (wanted, needed uint64) {
	all, occupied := 0, 0
	for i, t := range r.tables {
		all += len(t.Slots)
		if t.Elastic() {
			all += r.groups[i].backend.Servers.Size() // may be added later
		}
		occupied += t.Used() + t.Leaving()
	}
	return haproxy.Files(config, all, occupied)
}
