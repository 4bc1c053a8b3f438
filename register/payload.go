package register

import (
	"maps"
	"strconv"
)

// serviceInstance is what Curator writes. See its ServiceInstance and
// JsonInstanceSerializer.
type serviceInstance struct {
	Name       string   `json:"name"`
	ID         string   `json:"id"`
	Address    string   `json:"address"`
	Port       uint16   `json:"port"`
	SSLPort    *uint16  `json:"sslPort"`
	Payload    *details `json:"payload"`
	Registered int64    `json:"registrationTimeUTC"` // milliseconds since 1970
	Type       string   `json:"serviceType"`
	URISpec    *string  `json:"uriSpec"`
}

// details is the payload that Spring Cloud Zookeeper reads and writes. See its
// ZookeeperInstance.
type details struct {
	Class    string            `json:"@class"`
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Metadata map[string]string `json:"metadata"`
}

// payload returns nil if there is nothing to say in one.
func (i Instance) payload(id string) *details {
	if i.Weight == 0 && len(i.Metadata) == 0 {
		return nil
	}
	metadata := map[string]string{"instance_status": "UP"}
	maps.Copy(metadata, i.Metadata)
	if i.Weight != 0 {
		metadata["weight"] = strconv.Itoa(i.Weight)
	}
	return &details{Class: "org.springframework.cloud.zookeeper.discovery.ZookeeperInstance", ID: id, Name: i.Group, Metadata: metadata}
}

// serverSetMember is what a ServerSet writes. See Entry of Finagle's serverset2.
type serverSetMember struct {
	Endpoint   endpoint            `json:"serviceEndpoint"`
	Additional map[string]endpoint `json:"additionalEndpoints"`
	Status     string              `json:"status"`
	Metadata   map[string]string   `json:"metadata,omitempty"`
}

type endpoint struct {
	Host string `json:"host"`
	Port uint16 `json:"port"`
}

// nerveReport is what Nerve writes. See its ZooKeeper reporter.
type nerveReport struct {
	Host   string            `json:"host"`
	Port   uint16            `json:"port"`
	Name   string            `json:"name"`
	Weight int               `json:"weight,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}
