// Package syncer follows ZooKeeper for one proxy: it keeps one session, watches one path
// per group, decodes its children and passes the complete list of a group
// to a [Sink] whenever it has changed.
//
// It is level-triggered: a watch that fires only means that the list must be read again.
// While ZooKeeper is unreachable nothing is passed on, so the last known lists stay.
//
// One goroutine follows each group. The library's loop goroutine dials, performs the
// handshake and reports session states. A link stands for one period of being connected
// and joins the two. All of them end with [Syncer.Run].
//
// What a server sends is checked, frame by frame, before the library reads it: a server
// that breaks the protocol loses its connection, with no other effect.
//
// The package also reports names registered in formats that it does not read, and
// instances that no session owns; one goroutine looks these up at a low rate.
//
// A [Registrar] does the opposite over a session of its own: it keeps one ephemeral node.
//
// It is the only importer of go-zookeeper/zk. A Syncer creates nothing in ZooKeeper but, if
// configured, the paths that it follows. It does not know HAProxy, processes or
// configuration files.
package syncer
