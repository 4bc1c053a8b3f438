package hactl

// groupState is whether HAProxy accepts a group.
type groupState int

const (
	// unknown is a group that no HAProxy is known to have had.
	unknown groupState = iota
	// running is a group of a previous HAProxy: more likely accepted than an unknown
	// one, and needed most.
	running
	// accepted is a group that a generation of this daemon has had. It stays accepted.
	accepted
	// suspend is a group left out of a configuration to find out whether HAProxy
	// accepts the others.
	suspended
	// quarantined is a group that HAProxy rejects. It is left out until a reload is
	// requested or it is recreated.
	quarantined
)

// standing is the state of a group, with its state before it was left out.
type standing struct {
	state groupState
	was   groupState // unknown or running
}

// leftOut reports whether the configuration omits the group.
func (s standing) leftOut() bool { return s.state == suspended || s.state == quarantined }

// ran reports whether only a previous HAProxy is known to have had the group.
func (s standing) ran() bool { return s.state == running || s.leftOut() && s.was == running }

// found records that a running HAProxy has the group.
func (s *standing) found() {
	if s.state == unknown {
		s.state = running
	}
}

// accept records that a running generation of this daemon has the group.
func (s *standing) accept() { s.state = accepted }

// suspend leaves the group out temporarily.
func (s *standing) suspend() {
	switch s.state {
	case unknown, running:
		s.state, s.was = suspended, s.state
	}
}

// readmit readmits a suspended group, and reports whether it was suspended.
func (s *standing) readmit() bool {
	switch s.state {
	case suspended:
		s.state = s.was
		return true
	}
	return false
}

// quarantine leaves the group out until it is reset.
func (s *standing) quarantine() {
	switch s.state {
	case unknown, running:
		s.state, s.was = quarantined, s.state
	case suspended:
		s.state = quarantined
	}
}

// reset readmits the group.
func (s *standing) reset() {
	switch s.state {
	case suspended, quarantined:
		s.state = s.was
	}
}

// forNewLayout returns the standing of the group in another layout.
func (s standing) forNewLayout() standing {
	s.reset()
	return s
}
