// Package e2e has the end-to-end tests: the real daemon between the real ZooKeeper and
// every installed HAProxy, under load that counts lost requests. Package rig has the
// real parts; bench and demo are programs.
package e2e
