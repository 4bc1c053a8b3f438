package decode

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// line describes a result: an address and terms, a kind, or silent.
func line(r Registration, reason *Reason) string {
	if reason != nil {
		if reason.Kind == "" {
			return "silent"
		}
		return string(reason.Kind)
	}
	host := r.Host
	if host == "" {
		host = r.Addr.String()
	}
	text := fmt.Sprintf("%s %s %d", r.Format, host, r.Port)
	if r.Terms.Drain {
		text += " drain"
	}
	if r.Terms.Weight != 0 {
		text += fmt.Sprintf(" weight=%d", r.Terms.Weight)
	}
	return text
}

func curator(rest string) string {
	return `{"name":"web","id":"7c4d4f0e-4a7e-4a4e-9a52-5a0f3a1f7d10","address":"10.0.0.5","port":8080,"sslPort":null,"registrationTimeUTC":1769292890155,` +
		`"serviceType":"DYNAMIC","uriSpec":{"parts":[{"value":"scheme","variable":true},{"value":"://","variable":false}]}` + rest + `}`
}

func spring(metadata string) string {
	return curator(`,"payload":{"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance","id":"application-1","name":"web","metadata":{` + metadata + `}}`)
}

func dubbo3(endpoints string) string {
	return `{"name":"demo","id":"10.0.0.5:20880","address":"10.0.0.5","port":20880,"sslPort":null,"payload":{"@class":"org.apache.dubbo.registry.zookeeper.ZookeeperInstance",` +
		`"id":"10.0.0.5:20880","name":"demo","metadata":{"dubbo.endpoints":"` + strings.ReplaceAll(endpoints, `"`, `\"`) + `","dubbo.metadata.revision":"9d2b"}},` +
		`"registrationTimeUTC":1769292890155,"serviceType":"DYNAMIC","uriSpec":null}`
}

const (
	uuid       = "7c4d4f0e-4a7e-4a4e-9a52-5a0f3a1f7d10"
	bothPorts  = `[{"port":20880,"protocol":"dubbo"},{"port":50051,"protocol":"tri"}]`
	serverSet  = `{"serviceEndpoint":{"host":"10.0.0.3","port":31943},"additionalEndpoints":{"http":{"host":"10.0.0.2","port":31944}},"status":"ALIVE","shard":0,"metadata":{"zone":"a"}}`
	nerveJSON  = `{"host":"10.0.0.5","port":8080,"name":"web1","weight":5,"labels":{"az":"a"},"haproxy_server_options":"check"}`
	triURL     = "tri://10.224.1.29:50052/org.apache.dubbo.springboot.demo.DemoService?application=demo&dynamic=true&weight=200&version=1.0"
	comb       = `{"name":"basic","id":"i1","address":"10.0.0.9","port":null,"payload":{"serviceId":"s","instanceId":"i1","application":"app","serviceName":"basic","version":"0.0.2","endpoints":["highway://10.0.0.5:7070","rest://10.0.0.5:8080?sslEnabled=false"],"dataCenterInfo":{"name":"dc","region":"r","availableZone":"z"},"properties":{"stage":"blue"}},"serviceType":"DYNAMIC"}`
	sequential = "member_0000000007"
)

// The layouts are those of docs/registrations.md.
func TestDecode(t *testing.T) {
	enc := url.QueryEscape
	match := func(key, value string) map[string]string { return map[string]string{key: value} }
	regex := func(text string) Options {
		r, err := ParseRegex(text)
		if err != nil {
			t.Fatal(err)
		}
		return Options{Format: Regex, Regex: r}
	}
	for _, test := range []struct {
		options    Options
		name, data string
		want       string
	}{
		// ip:port: what has always been read, and nothing else.
		{Options{}, "10.0.0.5:8080", "", "ip:port 10.0.0.5 8080"},
		{Options{}, "[2001:db8::1]:80", "", "ip:port 2001:db8::1 80"},
		{Options{}, "web-1:8080", "", "host_name"},
		{Options{}, "10.0.0.5:8080-0000000012", "", "address"},
		{Options{}, "providers", "", "other"},
		// name
		{Options{Format: Name}, "10.0.0.5:8080", "", "name 10.0.0.5 8080"},
		{Options{Format: Name}, "Web-1.Example.com:8080", "", "name web-1.example.com 8080"},
		{Options{Format: Name}, "10.0.0.5:8080-0000000012", "", "name 10.0.0.5 8080"},
		{Options{Format: Name}, "10.0.0.5:8080_0000000012", "", "name 10.0.0.5 8080"},
		{Options{Format: Name}, "[2001:db8::1]:80-0000000003", "", "name 2001:db8::1 80"},
		{Options{Format: Name}, "_c_" + uuid + "-10.0.0.5:80-0000000001", "", "name 10.0.0.5 80"},
		{Options{Format: Name}, "10.0.0.5_8080_0000000012", "", "name 10.0.0.5 8080"},
		{Options{Format: Name}, "10.0.0.256:80", "", "address"},
		{Options{Format: Name}, "0.0.0.0:80", "", "address"},
		{Options{Format: Name}, "web-1:0", "", "address"},
		{Options{Format: Name}, "-web:80", "", "other"},
		{Options{Format: Name}, strings.Repeat("a", 300) + ":80", "", "address"},
		{Options{Format: Name}, uuid, "", "uuid"},
		// regex
		{regex(`^netty:(?P<host>.+):(?P<port>\d+)$`), "netty:10.0.0.5:8080", "", "regex 10.0.0.5 8080"},
		{regex(`^(?P<host>[^,]+),(?P<port>\d+),`), "h1,16020,1769292890", "", "regex h1 16020"},
		{regex(`^(?P<host>.+)_(?P<port>\d+)_(?P<weight>\d+)$`), "10.0.0.5_80_50", "", "regex 10.0.0.5 80 weight=50"},
		{regex(`^(?P<host>.+)_(?P<port>\d+)_(?P<weight>.*)$`), "10.0.0.5_80_x", "", "payload"},
		{regex(`^(?P<host>.+):(?P<port>\d+)$`), "10.0.0.5", "", "other"},
		{regex(`^(?P<host>.+):(?P<port>\w+)$`), "10.0.0.5:http", "", "address"},
		// url
		{Options{Format: URL}, enc(triURL), "", "url 10.224.1.29 50052 weight=200"},
		{Options{Format: URL}, enc("dubbo://10.0.0.5:20880/a.B?weight=100"), "", "protocol"},
		{Options{Format: URL, Protocol: "dubbo"}, enc("dubbo://10.0.0.5:20880/a.B?weight=100&warmup=600000&timestamp=1"), "", "url 10.0.0.5 20880"},
		{Options{Format: URL, Protocol: "tri"}, enc("dubbo://10.0.0.5:20880/a.B"), "", "silent"},
		{Options{Format: URL, AnyProtocol: true}, enc("bolt://10.0.0.5:12200?version=1.0&uniqueId=&weight=50&startTime=17&appName=a"), "", "url 10.0.0.5 12200 weight=50"},
		{Options{Format: URL}, enc("tri://10.0.0.5:50052/a.B?disabled=true"), "", "url 10.0.0.5 50052 drain"},
		{Options{Format: URL}, enc("tri://10.0.0.5:50052/a.B?weight=0"), "", "url 10.0.0.5 50052 drain"},
		{Options{Format: URL}, enc("rest://[2001:db8::1]:80/a.B"), "", "url 2001:db8::1 80"},
		{Options{Format: URL}, enc("rest://web-1:80/a.B"), "", "url web-1 80"},
		{Options{Format: URL, Match: match("version", "2.0")}, enc(triURL), "", "silent"},
		{Options{Format: URL, Match: match("version", "1.0")}, enc(triURL), "", "url 10.224.1.29 50052 weight=200"},
		{Options{Format: URL}, enc("override://0.0.0.0/a.B?disabled=true"), "", "silent"},
		{Options{Format: URL}, enc("empty://10.0.0.5/a.B?category=configurators"), "", "silent"},
		{Options{Format: URL}, enc("tri://10.0.0.5/a.B"), "", "address"},
		{Options{Format: URL}, enc("tri://10.0.0.5:50052/a.B?ssl-enabled=true"), "", "protocol"},
		{Options{Format: URL}, enc("tri://10.0.0.5:50052/a.B?ssl-enabled=false"), "", "url 10.0.0.5 50052"},
		{Options{Format: URL, TLS: true}, enc("tri://10.0.0.5:50052/a.B?ssl-enabled=true"), "", "url 10.0.0.5 50052"},
		{Options{Format: URL, TLS: true}, enc("https://10.0.0.5:8443/a.B"), "", "url 10.0.0.5 8443"},
		{Options{Format: URL, AnyProtocol: true}, enc("https://10.0.0.5:8443/a.B"), "", "protocol"},
		{Options{Format: URL}, "tri%3A%2F%2F10.0.0.5%3A80%zz", "", "url"},
		{Options{Format: URL}, "10.0.0.5:80", "", "address"},
		{Options{Format: URL}, strings.Repeat("x", maxURL+1), "", "payload"},
		// curator
		{Options{Format: Curator}, uuid, curator(""), "curator 10.0.0.5 8080"},
		{Options{Format: Curator}, uuid, curator(`,"enabled":false`), "curator 10.0.0.5 8080 drain"},
		{Options{Format: Curator}, uuid, `{"address":"10.0.0.5","port":null,"sslPort":8443}`, "protocol"},
		{Options{Format: Curator}, uuid, `{"address":"10.0.0.5","port":1,"sslPort":8443}`, "curator 10.0.0.5 1"},
		{Options{Format: Curator, TLS: true}, uuid, `{"address":"10.0.0.5","port":1,"sslPort":8443}`, "curator 10.0.0.5 8443"},
		{Options{Format: Curator, TLS: true}, uuid, `{"address":"10.0.0.5","port":8444,"sslPort":null}`, "curator 10.0.0.5 8444"},
		{Options{Format: Curator, TLS: true, Protocol: "https"}, uuid, `{"address":"10.0.0.5","port":8444,"sslPort":null}`, "silent"},
		{Options{Format: Curator, Protocol: "https"}, uuid, `{"address":"10.0.0.5","port":null,"sslPort":8443}`, "curator 10.0.0.5 8443"},
		{Options{Format: Curator, PortName: "sslPort"}, uuid, `{"address":"10.0.0.5","port":1,"sslPort":8443}`, "curator 10.0.0.5 8443"},
		{Options{Format: Curator}, uuid, `{"address":"10.0.0.5","port":0}`, "address"},
		{Options{Format: Curator}, uuid, `{"address":null,"port":80}`, "address"},
		{Options{Format: Curator}, uuid, "", "payload"},
		{Options{Format: Curator}, "web", "", "silent"},
		{Options{Format: Curator}, uuid, spring(`"instance_status":"UP"`), "curator 10.0.0.5 8080"},
		{Options{Format: Curator}, uuid, spring(`"instance_status":"OUT_OF_SERVICE"`), "curator 10.0.0.5 8080 drain"},
		{Options{Format: Curator}, uuid, spring(`"instance_status":"STARTING"`), "waiting"},
		{Options{Format: Curator}, uuid, spring(`"instance_status":"ODD"`), "payload"},
		{Options{Format: Curator}, uuid, spring(`"instance_status":"UP","weight":"30"`), "curator 10.0.0.5 8080 weight=30"},
		{Options{Format: Curator, PortName: "management.port"}, uuid, spring(`"management.port":"9090"`), "curator 10.0.0.5 9090"},
		{Options{Format: Curator, PortName: "other"}, uuid, spring(`"management.port":"9090"`), "protocol"},
		{Options{Format: Curator, Match: match("version", "2")}, uuid, spring(`"version":"2"`), "curator 10.0.0.5 8080"},
		{Options{Format: Curator, Match: match("version", "2")}, uuid, spring(`"version":"1"`), "silent"},
		{Options{Format: Curator}, uuid, strings.Replace(curator(""), "10.0.0.5", "Web-1.local", 1), "curator web-1.local 8080"},
		{Options{Format: Curator}, "10.0.0.5:20880", dubbo3(bothPorts), "curator 10.0.0.5 50051"},
		{Options{Format: Curator, Protocol: "dubbo"}, "10.0.0.5:20880", dubbo3(bothPorts), "curator 10.0.0.5 20880"},
		{Options{Format: Curator}, "10.0.0.5:20880", dubbo3(`[{"port":20880,"protocol":"dubbo"}]`), "protocol"},
		{Options{Format: Curator}, "10.0.0.5:20880", dubbo3(`{`), "payload"},
		{Options{Format: Curator}, "i1", comb, "curator 10.0.0.5 8080"},
		{Options{Format: Curator, Match: match("stage", "blue")}, "i1", comb, "curator 10.0.0.5 8080"},
		{Options{Format: Curator, Match: match("version", "0.0.2")}, "i1", comb, "curator 10.0.0.5 8080"},
		{Options{Format: Curator, Protocol: "highway"}, "i1", comb, "curator 10.0.0.5 7070"},
		{Options{Format: Curator}, "i1", strings.Replace(comb, "sslEnabled=false", "sslEnabled=true", 1), "protocol"},
		{Options{Format: Curator, Protocol: "rest"}, "i1", strings.Replace(comb, "sslEnabled=false", "sslEnabled=true", 1), "protocol"},
		{Options{Format: Curator, TLS: true}, "i1", strings.Replace(comb, "sslEnabled=false", "sslEnabled=true", 1), "curator 10.0.0.5 8080"},
		{Options{Format: Curator}, "i1", strings.Replace(comb, "highway://10.0.0.5:7070", "rest://10.0.0.5:8443?sslEnabled=true", 1), "curator 10.0.0.5 8080"},
		// serverset
		{Options{Format: ServerSet}, sequential, serverSet, "serverset 10.0.0.3 31943"},
		{Options{Format: ServerSet, PortName: "http"}, sequential, serverSet, "serverset 10.0.0.2 31944"},
		{Options{Format: ServerSet, PortName: "admin"}, sequential, serverSet, "protocol"},
		{Options{Format: ServerSet}, sequential, strings.Replace(serverSet, "ALIVE", "STARTING", 1), "waiting"},
		{Options{Format: ServerSet}, sequential, strings.Replace(serverSet, "ALIVE", "STOPPING", 1), "serverset 10.0.0.3 31943 drain"},
		{Options{Format: ServerSet, Match: match("zone", "a")}, sequential, serverSet, "serverset 10.0.0.3 31943"},
		{Options{Format: ServerSet, Match: match("zone", "b")}, sequential, serverSet, "silent"},
		{Options{Format: ServerSet}, "vector_0000000001", "{}", "silent"},
		{Options{Format: ServerSet}, sequential, "{}", "address"},
		// nerve
		{Options{Format: Nerve}, "10.0.0.5_8080_0000000012", nerveJSON, "nerve 10.0.0.5 8080 weight=5"},
		{Options{Format: Nerve}, "10.0.0.5_8080_0000000012", "", "nerve 10.0.0.5 8080"},
		{Options{Format: Nerve}, "base64_" + base64.URLEncoding.EncodeToString([]byte(nerveJSON)), "", "nerve 10.0.0.5 8080 weight=5"},
		{Options{Format: Nerve}, "base64_" + base64.URLEncoding.EncodeToString([]byte(nerveJSON)) + "_0000000003", "", "nerve 10.0.0.5 8080 weight=5"},
		{Options{Format: Nerve}, "base64_?", "", "payload"},
		{Options{Format: Nerve, Match: match("az", "b")}, "x_0000000012", nerveJSON, "silent"},
		{Options{Format: Nerve}, "n", `{"host":"127.0.0.1:1980","weight":100}`, "nerve 127.0.0.1 1980"},
		{Options{Format: Nerve}, "n", `{"host":"10.0.0.5","port":"8080","weight":"x"}`, "payload"},
		{Options{Format: Nerve}, "n", `{"host":"10.0.0.5","port":70000}`, "address"},
		// data
		{Options{Format: Data}, "any", "10.0.0.5:8080", "data 10.0.0.5 8080"},
		{Options{Format: Data}, "any", "10.0.0.5:8080:1000", "data 10.0.0.5 8080"},
		{Options{Format: Data}, "any", "10.0.0.5:8080:500\n", "data 10.0.0.5 8080 weight=50"},
		{Options{Format: Data}, "any", "[2001:db8::1]:80:500", "data 2001:db8::1 80 weight=50"},
		{Options{Format: Data}, "any", "http://10.0.2.10:80/", "data 10.0.2.10 80"},
		{Options{Format: Data}, "any", "https://10.0.2.10:8443/", "protocol"},
		{Options{Format: Data, TLS: true}, "any", "https://10.0.2.10:8443/", "data 10.0.2.10 8443"},
		{Options{Format: Data}, "_c_" + uuid + "-0000000001", "web-1:80", "data web-1 80"},
		{Options{Format: Data}, "any", "", "payload"},
		{Options{Format: Data}, "any", "10.0.0.5", "payload"},
		{Options{Format: Data}, "any", "10.0.0.5:80\nx", "payload"},
		{Options{Format: Data}, "any", strings.Repeat("1", 1000), "payload"},
		// auto
		{Options{Format: Auto}, "10.0.0.5:8080", "", "ip:port 10.0.0.5 8080"},
		{Options{Format: Auto}, "10.0.0.5:8002", "motan2://10.0.0.5:8002/a.B?group=x", "ip:port 10.0.0.5 8002"},
		{Options{Format: Auto}, "10.0.0.5:20880", dubbo3(bothPorts), "curator 10.0.0.5 50051"},
		{Options{Format: Auto}, "10.0.0.5:8080-0000000012", "", "name 10.0.0.5 8080"},
		{Options{Format: Auto}, "web-1:8080", "", "name web-1 8080"},
		{Options{Format: Auto}, uuid, spring(`"instance_status":"UP"`), "curator 10.0.0.5 8080"},
		{Options{Format: Auto}, uuid, "", "payload"},
		{Options{Format: Auto}, sequential, serverSet, "serverset 10.0.0.3 31943"},
		{Options{Format: Auto}, "10.0.0.5_8080_0000000012", nerveJSON, "nerve 10.0.0.5 8080 weight=5"},
		{Options{Format: Auto}, enc(triURL), "", "url 10.224.1.29 50052 weight=200"},
		{Options{Format: Auto}, "_c_" + uuid + "-0000000001", "10.0.2.10:80", "data 10.0.2.10 80"},
		{Options{Format: Auto}, "base64_" + base64.StdEncoding.EncodeToString([]byte(nerveJSON)), "", "nerve 10.0.0.5 8080 weight=5"},
		{Options{Format: Auto}, "_c_" + uuid + "-0000000001", "https://10.0.2.10:8443", "protocol"},
		{Options{Format: Auto}, "configurators", "", "silent"},
		{Options{Format: Auto}, "leader", "", "other"},
		{Options{Format: Auto}, "leader", `{"x":1}`, "payload"},
		{Options{Format: Auto}, "10.0.0.256:80", "", "address"},
		{Options{Format: Auto, Match: match("a", "b")}, "10.0.0.5:8080", "", "silent"},
	} {
		d := New(test.options)
		got := line(d.Decode(test.name, []byte(test.data)))
		if got != test.want {
			t.Errorf("%s %.60q %.200q: got %s, want %s", test.options.Format, test.name, test.data, got, test.want)
		}
		if needs := d.Needs(test.name); test.data != "" && needs == Never && test.want != "silent" {
			t.Errorf("%s: the data of %.60q is not read", test.options.Format, test.name)
		}
	}
}

func TestHostilePayloads(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	for name, data := range map[string]string{
		"deeply nested":    deep,
		"deep in payload":  curator(`,"payload":` + deep),
		"deep in metadata": spring(`"a":` + deep),
		"huge":             `{"address":"10.0.0.5","port":80,"x":"` + strings.Repeat("y", MaxData) + `"}`,
		"truncated":        curator("")[:100],
		"array":            `[1,2,3]`,
		"number":           `17`,
		"wrong types":      `{"address":17,"port":[],"payload":"x"}`,
		"huge number":      `{"address":"10.0.0.5","port":1e400}`,
		"NaN weight":       spring(`"weight":"NaN"`),
		"binary":           "\x00\xff\xfe",
	} {
		for _, format := range []Format{Curator, ServerSet, Nerve, Data, Auto} {
			r, reason := New(Options{Format: format}).Decode(uuid, []byte(data))
			if reason == nil {
				t.Errorf("%s, %s: got %s, want a reason", name, format, line(r, nil))
			} else if reason.Kind != registry.Payload && reason.Kind != registry.Address || reason.Problem == "" || reason.Remedy == "" {
				t.Errorf("%s, %s: got %+v", name, format, reason)
			}
		}
	}
}

// Names, too, may be a megabyte long.
func TestHostileNames(t *testing.T) {
	huge := strings.Repeat("y", MaxData)
	for what, name := range map[string]string{
		"huge":             huge,
		"huge host":        huge + ":80",
		"huge port":        "10.0.0.5:" + strings.Repeat("1", MaxData),
		"huge URL":         url.QueryEscape("tri://10.0.0.5:80/a?x=" + huge),
		"huge encoding":    "tri%3A%2F%2F" + strings.Repeat("%41", MaxData/3),
		"cut encoding":     "tri%3A%2F%2F10.0.0.5%3A80%",
		"no authority":     url.QueryEscape("tri:///a.B?weight=1"),
		"weight":           url.QueryEscape("tri://10.0.0.5:80/a?weight=much"),
		"control":          url.QueryEscape("tri://10.0.0.5\n:80/a"),
		"huge base64":      "base64_" + strings.Repeat("e30=", MaxData/3),
		"nested in base64": "base64_" + base64.URLEncoding.EncodeToString([]byte(strings.Repeat("[", 100_000))),
		"cut base64":       "base64_" + base64.URLEncoding.EncodeToString([]byte(nerveJSON))[:21],
	} {
		for _, o := range []Options{{}, {Format: Name}, {Format: Regex, Regex: regexp.MustCompile(`^(?P<host>.*):(?P<port>\d+)$`)}, {Format: URL}, {Format: Nerve}, {Format: Auto}} {
			if r, reason := New(o).Decode(name, nil); reason == nil {
				t.Errorf("%s, %s: got %s, want a reason", what, o.Format, line(r, nil))
			} else if reason.Kind == "" || reason.Problem == "" || len(reason.Problem) > 300 {
				t.Errorf("%s, %s: got %.1000v", what, o.Format, reason)
			}
		}
	}
}

func TestWeights(t *testing.T) {
	for text, want := range map[string]registry.Terms{
		"100": {}, "50": {Weight: 50}, "0": {Drain: true}, "-1": {Drain: true}, "1": {Weight: 1}, "0.1": {Weight: 1},
		"256": {Weight: 256}, "100000000000": {Weight: 256}, "1e300": {Weight: 256}, "99.6": {},
	} {
		got, err := parseWeight(registry.Terms{}, text, fullWeight)
		if err != nil {
			t.Error(text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", text, d)
		}
	}
	for _, text := range []string{"", "x", "NaN", "Inf", "-inf", "1e999"} {
		if got, err := parseWeight(registry.Terms{}, text, fullWeight); err == nil {
			t.Errorf("%q is %+v, want an error", text, got)
		}
	}
}

func TestAutoSamplesPlainNames(t *testing.T) {
	d := New(Options{Format: Auto})
	for name, want := range map[string]Need{"10.0.0.5:80": Sample, "10.0.0.5:80-0000000001": Never, uuid: Always, "web-1:80": Always, "config": Never, "tri%3A%2F%2F10.0.0.5%3A80": Never} {
		if got := d.Needs(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	for data, want := range map[string]bool{"": false, "motan2://x": false, dubbo3(bothPorts): true, nerveJSON: false} {
		if got := Telling([]byte(data)); got != want {
			t.Errorf("%.60q: got %v, want %v", data, got, want)
		}
	}
}

func TestParseRegex(t *testing.T) {
	for _, text := range []string{"(", "(?P<host>a)", "(?P<port>a)", ""} {
		if _, err := ParseRegex(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
