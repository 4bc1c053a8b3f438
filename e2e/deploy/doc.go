// Package deploy tests several load balancers as people run them: behind a front that
// asks /readyz, on one ZooKeeper, configured by what an engine mounts, behind an address
// that moves (VRRP) or is on all hosts (anycast), and as a stack of Docker Swarm, with the
// files of build/deploy. It counts what fifty of them ask of ZooKeeper, shows the
// manifests to a kube-apiserver, and runs them on a node of Kubernetes: kubelet, containerd
// and kube-proxy.
//
// `make test` runs what needs nothing but HAProxy and ZooKeeper. Everything else has the
// build tag "deploy" and is run by `make deploy-test`, a part of `make test-all`.
package deploy
