// Package sources joins the sources of one proxy's instances, such as ZooKeeper and a
// directory, into one list per group.
//
// It owns the interface of a [Source], the merging, and the source that is written in the
// configuration. It never reads anything itself, and knows neither ZooKeeper nor files.
package sources
