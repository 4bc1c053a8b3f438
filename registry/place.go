package registry

// Place says where a load balancer runs, for people who have many of them. Its fields
// consist of letters, digits and -_.:/ and may be empty.
type Place struct{ Node, Zone string }
