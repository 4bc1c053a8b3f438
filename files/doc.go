// Package files follows a directory for one proxy: one file per instance, in the same
// tree as in ZooKeeper, or one file per group that lists its instances. It passes the
// complete list of a group on whenever it has changed.
//
//	DIR/web/instances/10.0.0.5:8080     the name is a znode's, the content its data
//	DIR/web.instances                   each line is a name, then optionally its data
//
// It is level-triggered: an event of inotify only means that a group must be read again,
// and everything is read again from time to time. While the directory cannot be read
// nothing is passed on, so the last known lists stay.
//
// No symbolic link below the directory is followed, except those of volumes as Kubernetes
// writes them for ConfigMaps (see volume.go). Only regular files are opened. It writes
// nothing, and knows neither HAProxy nor configuration files.
package files
