package daemon

import (
	"net"
	"slices"
	"strings"
	"testing"
)

func TestEachHTTPAddressIsListenedOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options Options
		detail  []bool
	}{
		"one":             {Options{HTTPAddrs: []string{"127.0.0.1:0"}}, []bool{true}},
		"several":         {Options{HTTPAddrs: []string{"127.0.0.1:0", "localhost:0"}}, []bool{true, true}},
		"one for details": {Options{HTTPAddrs: []string{"127.0.0.1:0", "127.0.0.1:0"}, HTTPDetailAddr: "127.0.0.1:0"}, []bool{false, false, true}},
	} {
		ports, err := c.options.listenHTTP(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var detail []bool
		var addrs []string
		for _, p := range ports {
			detail, addrs = append(detail, p.Detail), append(addrs, p.Listener.Addr().String())
			p.Listener.Close()
		}
		if !slices.Equal(detail, c.detail) || !slices.Equal(c.options.at(ports).httpAddrs(), addrs) {
			t.Errorf("%s: details %v, addresses %v and %v", name, detail, c.options.at(ports).httpAddrs(), addrs)
		}
	}
}

// A start that fails leaves no address in use for the next one.
func TestFailedListenReleasesAddresses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for variable, o := range map[string]Options{
		"HTTP_ADDR":        {HTTPAddrs: []string{"127.0.0.1:0", taken.Addr().String()}},
		"HTTP_DETAIL_ADDR": {HTTPAddrs: []string{"127.0.0.1:0"}, HTTPDetailAddr: taken.Addr().String()},
	} {
		ports, err := o.listenHTTP(t.Context())
		if err == nil || !strings.Contains(err.Error(), "listen on "+variable+": "+taken.Addr().String()+": address already in use; stop") {
			t.Errorf("%s: %v", variable, err)
		}
		for _, p := range ports {
			if _, err := p.Listener.Accept(); err == nil {
				t.Errorf("%s: %s is still in use", variable, p.Listener.Addr())
			}
		}
	}
}

// A change that nobody has received yet stands for all that follow, and nobody waits.
func TestDirectoryMergesChanges(t *testing.T) {
	t.Parallel()
	d := &directory{changed: make(chan struct{}, 1)}
	for range 3 {
		d.noteChange()
	}
	d.arrange(nil)
	<-d.changed
	select {
	case <-d.changed:
		t.Error("a change was noted twice")
	default:
	}
	d.arrange(nil)
	<-d.changed
}
