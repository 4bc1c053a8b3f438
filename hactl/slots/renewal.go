package slots

// Await records that slot i, which is out of service in every worker, must not be freed
// before a round of renewals is over. A slot that already awaits one keeps it.
func (t *Table) Await(i int, round uint64) {
	if s := &t.Slots[i]; s.round == 0 {
		s.round = round
	}
}

// Awaits returns the round that slot i awaits; 0 if there is none.
func (t *Table) Awaits(i int) uint64 { return t.Slots[i].round }

// Renewed reports whether the round that slot i awaits is over, if done is the last one
// that is.
func (t *Table) Renewed(i int, done uint64) bool {
	round := t.Slots[i].round
	return round > 0 && round <= done
}
