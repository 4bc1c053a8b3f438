// Package browser tests the page at /ui in a real Chromium, against a real haproxy-zk,
// ZooKeeper and HAProxy. Pictures of it are written to the directory BROWSER_PICTURES, or
// else to the test's own.
package browser
