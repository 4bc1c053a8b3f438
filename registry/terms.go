package registry

// Terms are what a registration says about how its instance is to be served. The zero
// value says nothing: the instance is served like any other.
type Terms struct {
	// Drain is true if only clients that the instance already has may reach it.
	Drain bool
	// Weight is the instance's share of the requests in percent of that of an instance
	// without one: 1 to [MostWeight]; 0 is 100.
	Weight int16
}

// MostWeight is the largest [Terms.Weight], which HAProxy's largest weight allows.
const MostWeight = 256
