package check

import (
	"net"
	"testing"
)

func TestRehearsalSkipsAddressesOfTheRunningDaemon(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	_, number, _ := net.SplitHostPort(addr)
	for now, wrong := range map[string]bool{addr: false, ":" + number: false, "0.0.0.0:" + number: false, "127.0.0.1:1": true, "": true} {
		if found := rehearseListen(listening{network: "tcp", addr: addr}, now); len(found) > 0 != wrong {
			t.Errorf("running at %q: %+v", now, found)
		}
	}
	if found := rehearseListen(listening{network: "tcp", addr: addr}, "127.0.0.1:1", addr); len(found) > 0 {
		t.Errorf("running at it and another one: %+v", found)
	}
	if found := rehearseListen(listening{network: "udp"}, ""); len(found) > 0 {
		t.Errorf("it does not listen: %+v", found)
	}
}
