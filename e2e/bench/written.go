package main

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"strings"
)

// writing returns the child that an instance registers, and its data.
type writing func(addr string) (name, data string)

// written has how applications register, by format. The format name comes first.
func written() []struct {
	format string
	write  writing
} {
	return []struct {
		format string
		write  writing
	}{
		{"name", byName}, {"curator", asSpring}, {"serverset", asServerSet}, {"nerve", asNerve}, {"data", asData}, {"url", asDubbo},
	}
}

func byName(addr string) (name, data string) { return addr, "" }

// asSpring is what Spring Cloud writes.
func asSpring(addr string) (name, data string) { return weighted(addr, 100) }

// weighted is what Spring Cloud writes with a weight in the metadata.
func weighted(addr string, weight int) (name, data string) {
	host, port, _ := strings.Cut(addr, ":")
	id := fmt.Sprintf("%08x-0b5a-4a7f-9c3d-1234567890ab", sum(addr))
	return id, `{"name":"orders","id":"` + id + `","address":"` + host + `","port":` + port + `,"sslPort":null,"payload":{` +
		`"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance","id":"application-1","name":"orders","metadata":{"instance_status":"UP","weight":"` + fmt.Sprint(weight) + `"}},` +
		`"registrationTimeUTC":1769292890155,"serviceType":"DYNAMIC","uriSpec":{"parts":[{"value":"scheme","variable":true},{"value":"://","variable":false},{"value":"address","variable":true}]}}`
}

func asServerSet(addr string) (name, data string) {
	host, port, _ := strings.Cut(addr, ":")
	return fmt.Sprintf("member_%010d", sum(addr)), `{"serviceEndpoint":{"host":"` + host + `","port":` + port + `},"additionalEndpoints":{},"status":"ALIVE","shard":0}`
}

func asNerve(addr string) (name, data string) {
	host, port, _ := strings.Cut(addr, ":")
	return fmt.Sprintf("%s_%s_%010d", host, port, sum(addr)), `{"host":"` + host + `","port":` + port + `,"name":"web1"}`
}

func asData(addr string) (name, data string) { return fmt.Sprintf("any%d", sum(addr)), addr }

func asDubbo(addr string) (name, data string) {
	return url.QueryEscape("tri://" + addr + "/org.example.Demo?application=demo&version=1.0"), ""
}

func sum(addr string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(addr))
	return h.Sum32()
}
