package haproxy

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ServerLines parses replies to `show servers state` of format 1, line by line and without
// keeping anything: 20,000 lines are read every few seconds. Columns are found by the
// names in the header: HAProxy 2.6 appends some, later versions may insert some.
type ServerLines struct {
	take func(*ServerLine) error
	// after is how many lines of a reply were taken, up to 2: its format and its header.
	after int
	line  ServerLine
	// columns has for each column of a line, up to the last that is used, which of
	// stateColumns it is; -1 is none.
	columns []int
}

// stateFormat is the first line of a reply.
const stateFormat = "1"

// stateColumns returns the names of the columns that are used.
func stateColumns() []string {
	return []string{"be_name", "srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_port", "srv_uweight", "srv_iweight", "srv_agent_state"}
}

// The places of the columns in [stateColumns].
const (
	atBackend = iota
	atName
	atAddr
	atOperation
	atAdmin
	atPort
	atWeight
	atInitialWeight
	atAgent
	usedColumns
)

// NewServerLines returns a parser that calls take for each server.
func NewServerLines(take func(*ServerLine) error) *ServerLines { return &ServerLines{take: take} }

// Take parses the next line. The empty lines between replies are left out; each reply
// begins with the same header.
func (p *ServerLines) Take(line []byte) error {
	line = bytes.TrimSuffix(line, []byte("\n"))
	switch {
	case p.after == 0 || string(line) == stateFormat:
		if string(line) != stateFormat {
			return fmt.Errorf("show servers state: %.80q is not format 1", line)
		}
		p.after = 1
		return nil
	case p.after == 1:
		header := strings.Fields(strings.TrimPrefix(string(line), "#"))
		col, err := columns(header, stateColumns()...)
		if err != nil {
			return fmt.Errorf("show servers state: %w", err)
		}
		p.after, p.columns = 2, slices.Repeat([]int{-1}, slices.Max(col)+1)
		for i, at := range col {
			p.columns[at] = i
		}
		return nil
	}
	if n := p.line.split(bytes.TrimSpace(line), p.columns); n < len(p.columns) {
		return fmt.Errorf("show servers state: %.200q has %d columns", line, n)
	}
	if err := p.take(&p.line); err != nil {
		return fmt.Errorf("show servers state: %.200q has %w", line, err)
	}
	return nil
}

// Complete returns an error unless a header was taken.
func (p *ServerLines) Complete() error {
	if p.after < 2 {
		return errors.New("show servers state: the reply has no header")
	}
	return nil
}

// ServerLine is a line about one server. It is valid until the next one is taken.
type ServerLine struct{ fields [usedColumns][]byte }

// split finds the fields of a line, and returns how many of the columns it has.
func (l *ServerLine) split(line []byte, columns []int) (n int) {
	from := 0
	for i := 0; i <= len(line) && n < len(columns); i++ {
		if i < len(line) && line[i] != ' ' { // most fields have one byte: faster than to search
			continue
		}
		if at := columns[n]; at >= 0 {
			l.fields[at] = line[from:i]
		}
		n, from = n+1, i+1
	}
	return n
}

// Backend returns the name of the server's backend.
func (l *ServerLine) Backend() []byte { return l.fields[atBackend] }

// Name returns the server's name.
func (l *ServerLine) Name() []byte { return l.fields[atName] }

// Server returns the server. If known has the same address, it is not parsed again.
func (l *ServerLine) Server(known Server) (Server, error) {
	op, err1 := strconv.Atoi(string(l.fields[atOperation]))
	admin, err2 := strconv.Atoi(string(l.fields[atAdmin]))
	agent, err3 := strconv.Atoi(string(l.fields[atAgent]))
	if err1 != nil || err2 != nil || err3 != nil {
		return Server{}, errors.New("no state")
	}
	weight, err4 := parseWeight(l.fields[atWeight], l.fields[atInitialWeight])
	if err4 != nil || weight < NoWeight || weight > maxWeight {
		return Server{}, errors.New("no weight")
	}
	s := Server{
		Admin: Ready, Down: op == operationStopped || admin&adminInheritedMaint != 0, Starting: op == operationStarting,
		Weight: weight, Agent: parseAgent(agent), Addr: l.addr(known.Addr.Addr()),
	}
	switch {
	case admin&adminForcedMaint != 0:
		s.Admin = Maint
	case admin&adminForcedDrain != 0:
		s.Admin = Drain
	}
	return s, nil
}

// addr returns the server's address; invalid if it has a host name or port 0.
func (l *ServerLine) addr(known netip.Addr) netip.AddrPort {
	port, err := strconv.ParseUint(string(l.fields[atPort]), 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}
	}
	var buffer [64]byte // an IPv6 address without a zone has at most 45
	if known.IsValid() && bytes.Equal(known.AppendTo(buffer[:0]), l.fields[atAddr]) {
		return netip.AddrPortFrom(known, uint16(port))
	}
	ip, err := netip.ParseAddr(string(l.fields[atAddr]))
	// haproxy-zk never sets a zone, which may contain any characters.
	if err != nil || ip.Zone() != "" {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip, uint16(port))
}
