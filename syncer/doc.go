// Package syncer follows ZooKeeper for one proxy: it keeps one session, watches
// one path per group, decodes the names of its children and hands the whole
// list of a group to a [Sink] whenever it has changed.
//
// It is level-triggered: a watch that fires only says that it is time to read
// again. While ZooKeeper is away nothing is handed over, so that what was known
// stays.
//
// One goroutine follows each group; the library's loop goroutine dials, shakes
// hands and tells of the session's states; a link stands for one stretch of
// being connected, and joins the two. All of them end with [Syncer.Run].
//
// It is the only importer of go-zookeeper/zk. It creates nothing in ZooKeeper
// and knows nothing of HAProxy, processes or configuration files.
package syncer
