package syncer

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func networks(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestAdmissionOfInstances(t *testing.T) {
	own := func(a netip.AddrPort) bool { return a == netip.MustParseAddrPort("127.0.0.1:8080") }
	for _, tt := range []struct {
		name     string
		a        Admission
		instance string
		want     error
	}{
		{"any", Admission{}, "10.0.0.1:80", nil},
		{"loopback", Admission{}, "127.0.0.1:80", nil},
		{"link-local", Admission{}, "169.254.169.254:80", errLinkLocal},
		{"link-local of IPv6", Admission{}, "[fe80::1]:80", errLinkLocal},
		{"link-local inside IPv6", Admission{}, "[::ffff:169.254.0.1]:80", errLinkLocal},
		{"link-local that is allowed", Admission{Allow: networks("169.254.7.0/24")}, "169.254.7.1:80", nil},
		{"link-local where all is allowed", Admission{Allow: networks("0.0.0.0/0", "::/0")}, "169.254.7.1:80", errLinkLocal},
		{"allowed", Admission{Allow: networks("10.0.0.0/8", "fd00::/8")}, "10.9.9.9:80", nil},
		{"allowed of IPv6", Admission{Allow: networks("10.0.0.0/8", "fd00::/8")}, "[fd00::1]:80", nil},
		{"allowed inside IPv6", Admission{Allow: networks("10.0.0.0/8")}, "[::ffff:10.0.0.1]:80", nil},
		{"not allowed", Admission{Allow: networks("10.0.0.0/8")}, "127.0.0.1:80", errNotAmong},
		{"denied", Admission{Deny: networks("10.0.0.0/8")}, "10.0.0.1:80", errDenied},
		{"denied, and allowed", Admission{Allow: networks("10.0.0.0/8"), Deny: networks("10.1.0.0/16")}, "10.1.0.1:80", errDenied},
		{"beside what is denied", Admission{Allow: networks("10.0.0.0/8"), Deny: networks("10.1.0.0/16")}, "10.2.0.1:80", nil},
		{"our own", Admission{Own: own}, "127.0.0.1:8080", errOwn},
		{"our own, allowed", Admission{Own: own, Allow: networks("127.0.0.0/8")}, "127.0.0.1:8080", errOwn},
		{"another port", Admission{Own: own}, "127.0.0.1:8081", nil},
	} {
		if _, err := Decoder(tt.a.Check)(tt.instance); !errors.Is(err, tt.want) {
			t.Errorf("%s: %s: %v, want %v", tt.name, tt.instance, err, tt.want)
		}
	}
	if i, err := Decoder(nil)("169.254.0.1:80"); err != nil || i == (registry.Instance{}) {
		t.Errorf("without anybody to ask: %v %v", i, err)
	}
}

func TestListenersCoverLocalAddresses(t *testing.T) {
	l := NewListeners()
	reads := 0
	l.interfaces = func() ([]net.Addr, error) {
		reads++
		if reads > 1 {
			return nil, errors.New("no descriptor")
		}
		return []net.Addr{&net.IPNet{IP: net.IPv4(10, 0, 0, 5), Mask: net.CIDRMask(8, 32)}, &net.IPNet{IP: net.ParseIP("fd00::5"), Mask: net.CIDRMask(64, 128)}, &net.UnixAddr{}}, nil
	}
	l.Set([]netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8080"), netip.MustParseAddrPort("[::]:21000"), netip.MustParseAddrPort("127.0.0.1:20001")})
	check := func(text string, want bool) {
		t.Helper()
		if got := l.Own(netip.MustParseAddrPort(text)); got != want {
			t.Errorf("%s is our own: %t", text, got)
		}
	}
	for text, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:8080": true, "10.0.0.5:8080": true, "10.0.0.6:8080": false, "[::1]:21000": true,
		"[fd00::5]:21000": true, "127.0.0.1:20001": true, "127.0.0.2:20001": false, "10.0.0.5:20001": false, "127.0.0.1:80": false,
	} {
		check(text, want)
	}
	if reads != 1 {
		t.Errorf("the interfaces were read %d times", reads)
	}
	l.read = time.Now().Add(-interfacesTTL)
	check("10.0.0.5:8080", true) // although they cannot be read
	if reads != 2 {
		t.Errorf("the interfaces were read %d times", reads)
	}
	l.Set(nil)
	check("127.0.0.1:8080", false)
}
