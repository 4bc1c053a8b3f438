package hactl

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// fakeClients is a worker's table of client connections, by round.
type fakeClients map[uint64]*fakeRound

// fakeRound is an entry of that table.
type fakeRound struct {
	tag  uint64
	open int
}

func (c fakeClients) entry(round uint64) *fakeRound {
	if c[round] == nil {
		c[round] = &fakeRound{}
	}
	return c[round]
}

// run executes `show table NAME`, `set table NAME key N data.gpt0 N` and `clear table
// NAME key N`.
func (c fakeClients) run(words []string) string {
	if words[0] == "show" {
		out := fmt.Sprintf("# table: %s, type: integer, size:1000, used:%d", words[2], len(c))
		for _, round := range slices.Sorted(maps.Keys(c)) {
			e := c[round]
			out += fmt.Sprintf("\n0x55f3763eef28: key=%d use=%d exp=0 gpt0=%d conn_cur=%d", round, e.open, e.tag, e.open)
		}
		return out
	}
	round, err := strconv.ParseUint(words[4], 10, 64)
	if err != nil {
		panic(err)
	}
	if words[0] == "clear" {
		if c.entry(round).open > 0 {
			return "Entry currently in use, cannot remove"
		}
		delete(c, round)
		return ""
	}
	if c.entry(round).tag, err = strconv.ParseUint(words[6], 10, 64); err != nil {
		panic(err)
	}
	return ""
}

// connect makes n more clients connect, which are tracked by the current round.
func (w *fakeWorker) connect(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients.entry(w.clients.entry(0).tag).open += n
}

// disconnect makes n clients of a round disconnect.
func (w *fakeWorker) disconnect(round uint64, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients.entry(round).open -= n
}

// round returns the current round.
func (w *fakeWorker) round() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clients.entry(0).tag
}
