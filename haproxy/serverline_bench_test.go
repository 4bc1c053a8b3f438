package haproxy

import (
	"fmt"
	"testing"
)

// BenchmarkServerLines parses what HAProxy 2.6 replies for 1,000 backends of 20 servers,
// 1.3 MB, whose addresses are known.
func BenchmarkServerLines(b *testing.B) {
	lines := [][]byte{[]byte("1\n"), []byte("# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n")}
	for backend := range 1000 {
		for server := range 20 {
			lines = append(lines, fmt.Appendf(nil, "%d web%d %d web%d%d 10.0.%d.%d 2 4 1 1 1503 6 3 4 6 0 0 0 - 8080 - 0 0 - - 0\n", backend+3, backend, server+1, backend, server+1, backend%250, server+1))
		}
	}
	known := make([]Server, len(lines))
	parse := func() {
		n := 0
		p := NewServerLines(func(l *ServerLine) (err error) {
			known[n], err = l.Server(known[n])
			n++
			return err
		})
		for _, line := range lines {
			if err := p.Take(line); err != nil {
				b.Fatal(err)
			}
		}
		if n != len(lines)-2 {
			b.Fatal(n)
		}
	}
	parse()
	b.ReportAllocs()
	for b.Loop() {
		parse()
	}
}
