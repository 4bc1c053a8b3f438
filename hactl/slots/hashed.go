package slots

import (
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
)

// ownSlot returns the slot at rest that follows from an address; -1 if none is at rest.
// Each address has an order of its own in which it asks for slots, so that two addresses
// that ask for the same slot do not move others.
func (t *Table) ownSlot(addr netip.AddrPort) int {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(addr.String())) // it never fails
	order := rand.NewPCG(sum.Sum64(), 0)    // specified: the same on every load balancer
	for range t.Slots {
		if i := int(order.Uint64() % uint64(len(t.Slots))); t.Slots[i].AtRest() {
			return i
		}
	}
	for i := range t.Slots {
		if t.Slots[i].AtRest() {
			return i
		}
	}
	return -1
}
