package decode

import (
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestShape(t *testing.T) {
	for name, want := range map[string]registry.FindingKind{
		"web1.example.com:8080":                registry.HostName,
		"localhost:80":                         registry.HostName,
		"my_host:8080":                         registry.HostName,
		"fd1e2c34-0b5a-4a7f-9c3d-1234567890ab": registry.UUID,
		"FD1E2C34-0B5A-4A7F-9C3D-1234567890AB": registry.UUID,
		"member_0000000007":                    registry.Sequential,
		"0000000007":                           registry.Sequential,
		"_c_fd1e2c34-0b5a-4a7f-9c3d-1234567890ab-0000000001":                     registry.Sequential,
		"_c_fd1e2c340b5a4a7f9c3d1234567890ab-0000000000":                         registry.Sequential,
		"10.0.0.5_8080_0000000012":                                               registry.HostPortSequence,
		"web1.example.com_8080_0000000012":                                       registry.HostPortSequence,
		"tri%3A%2F%2F10.224.1.29%3A50052%2Forg.apache.dubbo.Demo%3Fweight%3D200": registry.URL,
		"bolt%3a%2f%2f10.0.0.5%3a12200%3fversion%3d1.0":                          registry.URL,
		"dubbo%3A%2F%2F10.0.0.5%3A20880%2F" + strings.Repeat("x", 1000):          registry.URL,
		`{"host":"10.0.0.5","port":8080}`:                                        registry.Encoded,
		"%7B%22host%22%3A%2210.0.0.5%22%7D":                                      registry.Encoded,
		"base64_eyJob3N0IjoiMTAuMC4wLjUifQ==":                                    registry.Encoded,
		"10.0.0.5":                                                               registry.Address,
		"10.0.0.5:70000":                                                         registry.Address,
		"10.0.0.5:http":                                                          registry.Address,
		"10.0.0.256:80":                                                          registry.Address,
		"[2001:db8::1]":                                                          registry.Address,
		"[2001:db8::1]:0x50":                                                     registry.Address,
		"2001:db8::1":                                                            registry.Address,
		"netty:10.0.0.5:80":                                                      registry.Other,
		"config":                                                                 registry.Other,
		"-web:80":                                                                registry.Other,
		"web:":                                                                   registry.Other,
		":80":                                                                    registry.Other,
		"web:123456":                                                             registry.Other,
		"web-12345678901":                                                        registry.Other, // no sequence number has eleven digits
		"%3A%2F%2Fx":                                                             registry.Other,
		"100%3":                                                                  registry.Other,
		"a_0000000000":                                                           registry.Sequential,
		"_1_0000000000":                                                          registry.Sequential,
		"fe80::1%eth0":                                                           registry.Address,
		"[10.0.0.1]:80":                                                          registry.Address,
		`[{"host":"a"}]`:                                                         registry.Encoded,
		"fd1e2c34-0b5a-4a7f-9c3d-1234567890ag":                                   registry.Other,
		"fd1e2c34-0b5a-4a7f-9c3d123-4567890ab":                                   registry.Other,
		"10.0.0":                                                                 registry.Other,
		"h,16020,1769292890":                                                     registry.Sequential,
		"web1\n:80":                                                              registry.Other,
		"":                                                                       registry.Other,
	} {
		if got := Shape(name); got != want {
			t.Errorf("Shape(%q) = %s, want %s", name, got, want)
		}
	}
}
