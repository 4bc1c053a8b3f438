package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// clientsTable is the name of the stick table that counts client connections by round,
// and of the backend that holds it.
const clientsTable = "haproxy-zk.clients"

// ShowClients is the request for the table that [ParseClients] parses.
const ShowClients = "show table " + clientsTable

// Clients are the client connections of one worker, counted by the round in which they
// were accepted.
//
// The worker tracks each connection under the number of the current round, which is the
// tag (gpt0) of the entry 0. That entry also counts the connections accepted before the
// first round. A tag other than 0 makes the connections of an entry renew: their next
// answer has the header `Connection: close`.
type Clients struct {
	// Round is the current round; 0 before the first one.
	Round uint64
	// Open has the number of open connections of each round that has an entry.
	Open map[uint64]int
}

// ParseClients parses the reply to [ShowClients]:
//
//	# table: haproxy-zk.clients, type: integer, size:1000, used:2
//	0x55591afb7fa8: key=0 use=3 exp=0 gpt0=1 conn_cur=3
//	0x55591afb3bc8: key=1 use=5 exp=0 gpt0=0 conn_cur=5
func ParseClients(text string) (Clients, error) {
	c := Clients{Open: make(map[uint64]int)}
	header, rest, _ := strings.Cut(text, "\n")
	if !strings.HasPrefix(header, "# table: "+clientsTable+",") {
		return c, fmt.Errorf("%s: HAProxy answered %.200q", ShowClients, text)
	}
	for line := range strings.Lines(rest) {
		fields := make(map[string]string)
		for field := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = value
		}
		round, err1 := strconv.ParseUint(fields["key"], 10, 32)
		tag, err2 := strconv.ParseUint(fields["gpt0"], 10, 32)
		open, err3 := strconv.Atoi(fields["conn_cur"])
		if err1 != nil || err2 != nil || err3 != nil {
			return c, fmt.Errorf("%s: %.200q is not an entry", ShowClients, line)
		}
		c.Open[round] = open
		if round == 0 {
			c.Round = tag
		}
	}
	return c, nil
}

// OlderThan returns how many connections were accepted before a round.
func (c Clients) OlderThan(round uint64) (open int) {
	for of, n := range c.Open {
		if of < round {
			open += n
		}
	}
	return open
}

// Renew returns the requests that begin a round, which must be later than all others,
// in the order in which they must run: connections of earlier rounds renew from then
// on. Entries without connections are deleted. [ConfirmRenewal] checks the replies.
func (c Clients) Renew(round uint64) []string {
	var requests []string
	for _, of := range c.rounds() {
		if of > 0 && of != c.Round && c.Open[of] == 0 {
			requests = append(requests, fmt.Sprintf("clear table %s key %d", clientsTable, of))
		}
	}
	if c.Round > 0 { // the tag of the entry 0 is the round itself
		requests = append(requests, setTag(c.Round, 1))
	}
	return append(requests, setTag(0, round))
}

func (c Clients) rounds() []uint64 {
	var rounds []uint64
	for round := range c.Open {
		rounds = append(rounds, round)
	}
	slices.Sort(rounds)
	return rounds
}

func setTag(entry, tag uint64) string {
	return fmt.Sprintf("set table %s key %d data.gpt0 %d", clientsTable, entry, tag)
}

// ConfirmRenewal returns nil if the replies to [Clients.Renew] say that the round has
// begun.
func ConfirmRenewal(replies []string) error {
	for _, reply := range replies {
		if reply != "" {
			return fmt.Errorf("renew the connections of kept clients: HAProxy answered %.200q", reply)
		}
	}
	return nil
}
