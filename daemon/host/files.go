package host

import "github.com/haproxy-zk/haproxy-zk/ownfile"

// hostFiles opens files for the host commands. Root may read those of every user's
// haproxy-zk, and the log may be /dev/null.
func hostFiles() ownfile.Opener { return ownfile.Opener{Devices: true, RootReads: true} }
