package hactl

import "testing"

func TestSuspendedGroupKeepsItsStanding(t *testing.T) {
	for _, test := range []struct {
		what         string
		before       groupState
		events       func(*standing)
		want         groupState
		out, wasThen bool // left out, and known only by the previous HAProxy
	}{
		{"new group is suspended", unknown, func(s *standing) { s.suspend() }, suspended, true, false},
		{"and readmitted", unknown, func(s *standing) { s.suspend(); s.readmit() }, unknown, false, false},
		{"running group is suspended", running, func(s *standing) { s.suspend() }, suspended, true, true},
		{"twice", running, func(s *standing) { s.suspend(); s.suspend() }, suspended, true, true},
		{"and readmitted", running, func(s *standing) { s.suspend(); s.readmit() }, running, false, true},
		{"quarantined", running, func(s *standing) { s.suspend(); s.quarantine() }, quarantined, true, true},
		{"quarantined is not readmitted", running, func(s *standing) { s.suspend(); s.quarantine(); s.readmit() }, quarantined, true, true},
		{"reset", running, func(s *standing) { s.suspend(); s.quarantine(); s.reset() }, running, false, true},
		{"new layout resets it", unknown, func(s *standing) { s.quarantine(); *s = s.forNewLayout() }, unknown, false, false},
		{"it is found in HAProxy", unknown, func(s *standing) { s.found() }, running, false, true},
		{"one that was accepted is found", accepted, func(s *standing) { s.found() }, accepted, false, false},
		{"accepted group cannot be suspended", accepted, func(s *standing) { s.suspend(); s.quarantine(); s.reset(); s.readmit() }, accepted, false, false},
		{"one that runs is accepted", running, func(s *standing) { s.accept() }, accepted, false, false},
	} {
		s := standing{state: test.before}
		test.events(&s)
		same(t, test.what, test.want, s.state)
		same(t, test.what+": left out", test.out, s.leftOut())
		same(t, test.what+": known by the HAProxy before", test.wasThen, s.ran())
	}
}
