package slots

// Ramp marks the used slots whose instance does not get its full share of the requests
// yet, according to ramps, so that new workers begin its slow start: HAProxy has none for
// servers that it starts with. Without another instance to take the requests meanwhile
// none is marked. A nil function removes all marks.
func (t *Table) Ramp(ramps func(slot int) bool) {
	full := false
	for i := range t.Slots {
		s := &t.Slots[i]
		serves := s.Used && !s.Down && s.TakesTraffic()
		s.ramping = serves && ramps != nil && ramps(i)
		full = full || serves && !s.ramping
	}
	if !full {
		for i := range t.Slots {
			t.Slots[i].ramping = false
		}
	}
	t.change()
}
