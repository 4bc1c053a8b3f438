package register

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestNodesOfEachFormat(t *testing.T) {
	t.Parallel()
	metadata := map[string]string{"zone": `a"b`}
	for _, tt := range []struct {
		instance Instance
		addr     string
		name     string // a regular expression
		data     string
	}{
		{Instance{Format: Name, Group: "web"}, "10.0.0.5:8080", `10\.0\.0\.5:8080`, ""},
		{Instance{Format: Name, Group: "web"}, "[2001:db8::1]:80", `\[2001:db8::1\]:80`, ""},
		{Instance{Format: Data, Group: "web"}, "10.0.0.5:8080", `10\.0\.0\.5:8080`, "10.0.0.5:8080"},
		{Instance{Format: Data, Group: "web", Weight: 50}, "10.0.0.5:8080", `10\.0\.0\.5:8080`, "10.0.0.5:8080:500"},
		{
			Instance{Format: Nerve, Group: "web", Weight: 5, Metadata: metadata},
			"10.0.0.5:8080", `10\.0\.0\.5_8080_[3-9]\d{9}`,
			`{"host":"10.0.0.5","port":8080,"name":"10.0.0.5:8080","weight":5,"labels":{"zone":"a\"b"}}`,
		},
		{
			Instance{Format: ServerSet, Group: "web", Metadata: metadata},
			"10.0.0.5:8080", `member_[3-9]\d{9}`,
			`{"serviceEndpoint":{"host":"10.0.0.5","port":8080},"additionalEndpoints":{},"status":"ALIVE","metadata":{"zone":"a\"b"}}`,
		},
		{
			Instance{Format: Curator, Group: "web"},
			"10.0.0.5:8080", `[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`,
			`{"name":"web","id":"NAME","address":"10.0.0.5","port":8080,"sslPort":null,"payload":null,"registrationTimeUTC":1769292890155,"serviceType":"DYNAMIC","uriSpec":null}`,
		},
		{
			Instance{Format: Curator, Group: "web", Weight: 30, Metadata: metadata},
			"10.0.0.5:8080", `[0-9a-f-]{36}`,
			`{"name":"web","id":"NAME","address":"10.0.0.5","port":8080,"sslPort":null,"payload":{"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance",` +
				`"id":"NAME","name":"web","metadata":{"instance_status":"UP","weight":"30","zone":"a\"b"}},"registrationTimeUTC":1769292890155,"serviceType":"DYNAMIC","uriSpec":null}`,
		},
	} {
		addr := netip.MustParseAddrPort(tt.addr)
		name, data, err := tt.instance.node(addr, time.UnixMilli(1769292890155))
		if err != nil || !regexp.MustCompile("^"+tt.name+"$").MatchString(name) {
			t.Errorf("%s: name %s, %v, want %s", tt.instance.Format, name, err, tt.name)
		}
		if want := strings.ReplaceAll(tt.data, "NAME", name); string(data) != want {
			t.Errorf("%s: data\n%s\nwant\n%s", tt.instance.Format, data, want)
		}
		again, _, _ := tt.instance.node(addr, time.Now())
		if again != name {
			t.Errorf("%s: the name is %s, then %s", tt.instance.Format, name, again)
		}
		other, _, _ := tt.instance.node(netip.AddrPortFrom(addr.Addr(), 1), time.Now())
		if other == name {
			t.Errorf("%s: two instances have the name %s", tt.instance.Format, name)
		}
	}
}

func TestFormatsWithoutWeightOrMetadata(t *testing.T) {
	t.Parallel()
	for _, format := range Formats() {
		weighs := Instance{Format: format, Weight: 1}.Validate() == nil
		if want := format != Name && format != ServerSet; weighs != want {
			t.Errorf("%s has a weight: %v", format, weighs)
		}
		describes := Instance{Format: format, Metadata: map[string]string{"a": "b"}}.Validate() == nil
		if want := format != Name && format != Data; describes != want {
			t.Errorf("%s has metadata: %v", format, describes)
		}
	}
}
