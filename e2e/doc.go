// Package e2e holds the tests of the whole: the real daemon between the real
// ZooKeeper and every installed HAProxy, under load that counts lost requests.
// Package rig below it has the real parts; bench and demo are programs.
package e2e
