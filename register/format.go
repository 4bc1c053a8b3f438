package register

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Format is how a registration is written.
type Format string

// The formats.
const (
	// Name is a child named ip:port without data.
	Name Format = "name"
	// Curator is the JSON of Curator's service discovery below a UUID.
	Curator Format = "curator"
	// ServerSet is the JSON of Finagle's and Aurora's ServerSets below member_NUMBER.
	ServerSet Format = "serverset"
	// Nerve is the JSON of Nerve below IP_PORT_NUMBER.
	Nerve Format = "nerve"
	// Data is a child named ip:port with ip:port or ip:port:weight as its data.
	Data Format = "data"
)

// Formats returns all formats.
func Formats() []Format { return []Format{Name, Curator, ServerSet, Nerve, Data} }

// MostWeight is the largest weight.
const MostWeight = 256

// dataUnit is the weight in [Data] for a weight of 1: there, 1000 is the usual weight.
const dataUnit = 10

// Instance is what is registered.
type Instance struct {
	Format Format
	// Group is the name of the application.
	Group string
	// Weight is the share of the requests in percent of that of other instances, from 1 to
	// [MostWeight]; 0 is none given.
	Weight int
	// Metadata are more facts about the instance; nil is none.
	Metadata map[string]string
}

// Validate returns why an instance cannot be written in its format.
func (i Instance) Validate() error {
	var problems []error
	if i.Weight != 0 && (i.Format == Name || i.Format == ServerSet) {
		problems = append(problems, fmt.Errorf("the format %s has no weight: leave it out, or use curator, nerve or data", i.Format))
	}
	if len(i.Metadata) > 0 && (i.Format == Name || i.Format == Data) {
		problems = append(problems, fmt.Errorf("the format %s has no metadata: leave them out, or use curator, serverset or nerve", i.Format))
	}
	return errors.Join(problems...)
}

// node returns name and data of the znode of an instance. The name depends on nothing but
// the format, the group and the address, so that a node that was left behind can be found.
func (i Instance) node(addr netip.AddrPort, now time.Time) (name string, data []byte, err error) {
	host, port := addr.Addr().String(), addr.Port()
	switch i.Format {
	case Curator:
		name = i.uuid(addr)
		data, err = json.Marshal(serviceInstance{
			Name: i.Group, ID: name, Address: host, Port: port, Registered: now.UnixMilli(), Type: "DYNAMIC", Payload: i.payload(name),
		})
	case ServerSet:
		name = "member_" + i.number(addr)
		data, err = json.Marshal(serverSetMember{
			Endpoint: endpoint{host, port}, Additional: map[string]endpoint{}, Status: "ALIVE", Metadata: i.Metadata,
		})
	case Nerve:
		name = fmt.Sprintf("%s_%d_%s", host, port, i.number(addr))
		data, err = json.Marshal(nerveReport{Host: host, Port: port, Name: addr.String(), Weight: i.Weight, Labels: i.Metadata})
	case Data:
		name, data = addr.String(), []byte(addr.String())
		if i.Weight != 0 {
			data = fmt.Appendf(data, ":%d", i.Weight*dataUnit)
		}
	default:
		name = addr.String()
	}
	if err != nil {
		return "", nil, fmt.Errorf("encode the registration: %w", err)
	}
	return name, data, nil
}

// digest returns bytes that identify a group's instance.
func (i Instance) digest(addr netip.AddrPort) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join([]string{i.Group, addr.String()}, "\n")))
}

// uuid returns a UUID of version 8, which is free in its other bits (RFC 9562).
func (i Instance) uuid(addr netip.AddrPort) string {
	d := i.digest(addr)
	d[6], d[8] = d[6]&0x0f|0x80, d[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", d[:4], d[4:6], d[6:8], d[8:10], d[10:16])
}

// Numbers in the place of ZooKeeper's sequence numbers: ten digits, and larger than any of
// those, which are 31 bits.
const (
	firstNumber = 3_000_000_000
	numbers     = 7_000_000_000
)

func (i Instance) number(addr netip.AddrPort) string {
	d := i.digest(addr)
	return fmt.Sprint(firstNumber + binary.BigEndian.Uint64(d[:8])%numbers)
}
