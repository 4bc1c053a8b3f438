package files

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// curator is what Curator writes for an address, with the metadata of Spring Cloud.
func curator(addr string, port int, metadata string) string {
	return fmt.Sprintf(`{"name":"web","address":%q,"port":%d,"payload":{"metadata":{%s}},"serviceType":"DYNAMIC"}`, addr, port, metadata)
}

// serves waits until the last list of a group has these terms, and the formats are found.
func (p *place) serves(group string, terms map[registry.Instance]registry.Terms, formats map[string]int) {
	p.t.Helper()
	p.eventually(group, func() error {
		var got map[registry.Instance]registry.Terms
		p.lock(func() { got = p.groups[group].Terms })
		if !maps.Equal(got, terms) {
			return fmt.Errorf("terms %v, want %v", got, terms)
		}
		for _, r := range p.of.Registrations() {
			if r.Group == group && maps.Equal(r.Formats, formats) {
				return nil
			}
		}
		return fmt.Errorf("formats: %+v, want %v", p.of.Registrations(), formats)
	})
}

// The content of a file is what the data of a znode is.
func TestContentIsDecoded(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Decoder = decoding(decode.Auto) })
	p.write("web/instances/10.0.0.1:80", "")
	p.write("web/instances/a", curator("10.0.0.2", 80, `"weight":"30"`))
	p.write("web.instances", "b {\"serviceEndpoint\":{\"host\":\"10.0.0.3\",\"port\":80},\"status\":\"ALIVE\"}\n10.0.0.4:80-0000000007\n")
	p.write("web/instances/config", "what: ever")
	p.start()
	p.expect("web", "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80")
	two := registry.Instance{Addr: netip.MustParseAddrPort("10.0.0.2:80")}
	formats := map[string]int{"curator": 1, "serverset": 1, "name": 1}
	p.serves("web", map[registry.Instance]registry.Terms{two: {Weight: 30}}, formats)
	p.write("web/instances/a", curator("10.0.0.2", 80, `"instance_status":"OUT_OF_SERVICE"`))
	p.serves("web", map[registry.Instance]registry.Terms{two: {Drain: true}}, formats)
	p.write("web/instances/a", curator("10.0.0.2", 80, ""))
	p.serves("web", nil, formats)
	p.write("web/instances/a", "{")
	p.expect("web", "10.0.0.1:80", "10.0.0.3:80", "10.0.0.4:80")
	p.finds("web", registry.Payload, 1)
}

// Dubbo's children are named by an address that is not always the one to use: the content
// of one file tells.
func TestContentBesideAddressesIsRead(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Decoder = decoding(decode.Auto) })
	p.write("web/instances/10.0.0.1:20880", curator("10.0.0.1", 80, ""))
	p.write("web/instances/10.0.0.2:20880", curator("10.0.0.2", 80, ""))
	p.start()
	p.expect("web", "10.0.0.1:80", "10.0.0.2:80")
	p.write("web/instances/10.0.0.2:20880", curator("10.0.0.2", 81, ""))
	p.expect("web", "10.0.0.1:80", "10.0.0.2:81")
}

// Each group has its own format, and one that needs no content gets none.
func TestFormatOfAGroup(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) {
		o.Groups = []string{"web"}
		o.Decoder = func(group string) decode.Decoder {
			if group == "web" {
				return decode.New(decode.Options{Format: decode.Curator})
			}
			return decode.Decoder{}
		}
	})
	p.write("web/instances/a", curator("10.0.0.1", 80, ""))
	p.write("api/instances/10.0.0.2:80", curator("10.0.0.9", 80, ""))
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.expect("api", "10.0.0.2:80")
}

func TestHostNamesInFilesAreFollowed(t *testing.T) {
	t.Parallel()
	var unknown atomic.Bool
	p := newPlace(t, func(o *Options) {
		o.Decoder = decoding(decode.Auto)
		o.Admit = func(i registry.Instance) error {
			if i.Addr.Port() == 666 {
				return fmt.Errorf("refused")
			}
			return nil
		}
		o.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
			if host != "web1.example" || unknown.Load() {
				return nil, fmt.Errorf("no name server")
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		}
	})
	p.write("web/instances/web1.example:80", "")
	p.write("web/instances/web2.example:80", "")
	p.write("web/instances/web1.example:666", "")
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.finds("web", registry.Refused, 1)
	p.finds("web", registry.Unresolved, 1)
	unknown.Store(true)
	p.remove("web/instances/web2.example:80")
	p.finds("web", registry.Unresolved, 1)
	p.must(p.compare("web", "10.0.0.1:80"))
}

// An address that is found later than the list is read follows.
func TestLateHostNameFollows(t *testing.T) {
	t.Parallel()
	answer := make(chan struct{})
	p := newPlace(t, func(o *Options) {
		o.Decoder = decoding(decode.Name)
		o.Lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
			select {
			case <-answer:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.7")}, nil
		}
	})
	p.write("web/instances/late.example:80", "")
	p.write("web/instances/10.0.0.1:80", "")
	began := time.Now()
	p.start()
	p.expect("web", "10.0.0.1:80")
	if took := time.Since(began); took < resolvePatience/2 {
		t.Errorf("the list waited only %v", took)
	}
	close(answer)
	p.expect("web", "10.0.0.1:80", "10.0.0.7:80")
}
