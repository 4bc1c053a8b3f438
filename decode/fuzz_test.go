package decode

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// check asserts what holds for every child: a usable address or a host name that may be
// looked up, terms in their bounds, and a reason that repeats nothing from outside.
func check(t *testing.T, o Options, name string, data []byte) {
	t.Helper()
	d := New(o)
	r, reason := d.Decode(name, data)
	if reason != nil {
		if reason.Problem == "" || reason.Kind != "" && reason.Remedy == "" || strings.ContainsFunc(reason.Problem+reason.Remedy, unicode.IsControl) {
			t.Errorf("%+v", reason)
		}
		if r != (Registration{}) {
			t.Errorf("a registration beside a reason: %+v", r)
		}
		return
	}
	if addr, ok := Usable(r.Addr); r.Addr.IsValid() && (!ok || addr != r.Addr) {
		t.Errorf("unusable address %v", r.Addr)
	}
	if r.Addr.IsValid() == (r.Host != "") || r.Host != "" && (!isHost(r.Host) || strings.ToLower(r.Host) != r.Host) || r.Port == 0 {
		t.Errorf("%+v", r)
	}
	for _, terms := range []registry.Terms{r.Terms, r.Warmup.Terms} {
		if terms.Weight < 0 || terms.Weight > registry.MostWeight {
			t.Errorf("terms %+v", terms)
		}
	}
	for _, at := range []time.Time{{}, r.Warmup.From, r.Warmup.From.Add(r.Warmup.For / 2), time.Now()} {
		if terms, until := r.TermsAt(at); terms.Weight < 0 || terms.Weight > registry.MostWeight || !until.IsZero() && !until.After(at) {
			t.Errorf("%+v has %+v at %v until %v", r, terms, at, until)
		}
	}
	if r.Format == "" || r.Format == Auto || o.Format != Auto && o.Format != "" && r.Format != o.Format {
		t.Errorf("format %q of %q", r.Format, o.Format)
	}
	if d.Needs(name) == Never {
		if without, _ := d.Decode(name, nil); without != r {
			t.Errorf("data that is not needed changes %+v to %+v", without, r)
		}
	}
}

func FuzzName(f *testing.F) {
	for name := range addressTests {
		f.Add(name)
	}
	for _, seed := range []string{"10.0.0.5:80", "web-1:80", "[2001:db8::1]:80-0000000001", "10.0.0.5_80_0000000012", "_c_" + uuid + "-10.0.0.5:80-0000000001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		check(t, Options{}, name, nil)
		check(t, Options{Format: Name}, name, nil)
		if strict, err := Address(name); err == nil {
			if r, reason := named(name); reason != nil || r.Instance() != strict {
				t.Errorf("%q: %v, but name reads %+v", name, strict, r)
			}
			if again, err := Address(strict.String()); err != nil || again != strict {
				t.Errorf("%q is not canonical: %v, %v", strict, again, err)
			}
		}
	})
}

func FuzzRegex(f *testing.F) {
	f.Add("netty:10.0.0.5:8080:50")
	r, err := ParseRegex(`^(?:\w+:)?(?P<host>.+?):(?P<port>[^:]+)(?::(?P<weight>.*))?$`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) { check(t, Options{Format: Regex, Regex: r}, name, nil) })
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		triURL, "bolt://10.0.0.5:12200?weight=0&uniqueId=", "override://0.0.0.0/a", "rest://u@[::1]:80/?disabled=true&warmup=1",
		"tri://10.0.0.5:80/a?ssl-enabled=true", "bolt://10.0.0.5:12200?version=1.0&weight=100&startTime=1769292890155&warmupTime=60000&warmupWeight=10",
	} {
		f.Add(url.QueryEscape(seed))
	}
	f.Fuzz(func(t *testing.T, name string) {
		check(t, Options{Format: URL}, name, nil)
		check(t, Options{Format: URL, TLS: true}, name, nil)
		check(t, Options{Format: URL, AnyProtocol: true, Match: map[string]string{"version": "1.0"}}, name, nil)
	})
}

// fuzzData fuzzes a format that reads data.
func fuzzData(f *testing.F, all []Options, seeds ...string) {
	f.Helper()
	for _, seed := range seeds {
		f.Add(uuid, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		for _, o := range all {
			check(t, o, name, data)
		}
	})
}

func FuzzCurator(f *testing.F) {
	fuzzData(f, []Options{{Format: Curator}, {Format: Curator, Protocol: "https"}, {Format: Curator, TLS: true}, {Format: Curator, PortName: "management.port", Match: map[string]string{"a": "b"}}},
		curator(""), spring(`"instance_status":"OUT_OF_SERVICE","weight":"3"`), dubbo3(bothPorts), comb, `{"address":"10.0.0.5","port":null,"sslPort":8443}`,
		spring(`"warmup":"600000","timestamp":"1769292890155","weight":"200"`))
}

func FuzzServerSet(f *testing.F) {
	fuzzData(f, []Options{{Format: ServerSet}, {Format: ServerSet, PortName: "http"}}, serverSet)
}

func FuzzNerve(f *testing.F) {
	f.Add("base64_"+base64.StdEncoding.EncodeToString([]byte(nerveJSON)), []byte(nil))
	fuzzData(f, []Options{{Format: Nerve}}, nerveJSON, "")
}

func FuzzData(f *testing.F) {
	fuzzData(f, []Options{{Format: Data}, {Format: Data, TLS: true}}, "10.0.0.5:8080:1000", "http://web-1:80/x", "https://web-1:443", "[::1]:80")
}

func FuzzAuto(f *testing.F) {
	f.Add("10.0.0.5:20880", []byte(dubbo3(bothPorts)))
	fuzzData(f, []Options{{Format: Auto}, {Format: Auto, AnyProtocol: true}}, curator(""), serverSet, nerveJSON, "10.0.0.5:80", comb, `{"x":1}`)
}
