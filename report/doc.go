// Package report is what people read of a running haproxy-zk: tables, and explanations
// whose first line is the answer.
//
// It asks the HTTP port and makes pages of the answers. Whatever it shows was reported by
// that haproxy-zk; it reads no file, and never ZooKeeper or HAProxy themselves.
package report
