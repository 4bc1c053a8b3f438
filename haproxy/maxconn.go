package haproxy

const (
	// defaultMaxConn is the built-in templates' maxconn if the limit of open files is
	// unknown.
	defaultMaxConn = 20_000
	// maxMaxConn keeps a flood of clients from taking more than about 3 GB, at 33 KB for an
	// active connection.
	maxMaxConn = 100_000
	// minMaxConn is for a limit that leaves nothing: HAProxy's start will fail.
	minMaxConn = 100
)

// FitMaxConn returns the maxconn for a process with files descriptors, of which reserved
// are used for other things: a connection takes two.
func FitMaxConn(files, reserved uint64) uint64 {
	switch {
	case files == 0:
		return defaultMaxConn
	case files < reserved:
		return minMaxConn
	}
	return min(max((files-reserved)/2, minMaxConn), maxMaxConn)
}
