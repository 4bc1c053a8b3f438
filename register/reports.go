package register

// Reports holds the latest report of a registrar.
type Reports chan bool

// NewReports returns reports without one.
func NewReports() Reports { return make(Reports, 1) }

// Send replaces the latest report: whether the node exists and is the registrar's. It does
// not block. Only one goroutine may call it.
func (r Reports) Send(registered bool) {
	select {
	case <-r:
	default:
	}
	r <- registered
}
