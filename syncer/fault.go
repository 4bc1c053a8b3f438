package syncer

import "fmt"

// fault is a violation of ZooKeeper's protocol. It ends the connection.
type fault struct{ text string }

func (f *fault) Error() string { return f.text }

func faultf(format string, args ...any) error {
	return &fault{fmt.Sprintf("invalid response: "+format, args...)}
}
