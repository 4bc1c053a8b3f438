VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
export VERSION
FUZZTIME  ?= 20s
FUZZSHORT ?= 60
SECONDS   ?= 60
PARALLEL  ?= 6
GOLANGCI   = go tool -modfile=build/tools/go.mod golangci-lint

PLATFORMS = amd64 arm64 ppc64le

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## Build the static binary bin/haproxy-zk
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION) -X main.commit=$(shell git rev-parse HEAD 2>/dev/null)' -o bin/haproxy-zk ./cmd/haproxy-zk

.PHONY: setup
setup: ## Install what the tests run on, where it is missing (Debian, root)
	@build/setup

.PHONY: demo
demo: ## Show a rolling replacement under load, with a real ZooKeeper and HAProxy
	@build/setup demo
	@echo 'demo: compiling, which takes a minute or two the first time'
	@go build -buildvcs=false -o bin/demo ./e2e/demo
	@bin/demo

.PHONY: test
test: setup ## Run all tests with the race detector
	@echo 'test: 30 minutes on two cores, and some more when everything is compiled for the first time'
	@CHAOS_SECONDS=120 CHAOS_SEED=1 go run ./e2e/testrun -race -p 3 -parallel $(PARALLEL) -timeout 40m ./...

.PHONY: test-all
test-all: setup image-test-all release-check deploy-test ## Run all tests, the long ones in full, and those of images, release and deployment
	@E2E_LONG=1 CHAOS_SECONDS=600 go run ./e2e/testrun -race -p 3 -parallel $(PARALLEL) -timeout 2h ./...

.PHONY: chaos
chaos: setup ## Let much go wrong under load for SECONDS (60), drawn from SEED (at random)
	@echo 'chaos: compiling with the race detector, which takes minutes the first time'
	CHAOS_SECONDS=$(SECONDS) CHAOS_SEED=$(SEED) go test -race -count=1 -v -run '^TestChaos$$' -timeout $$(($(SECONDS) + 1800))s ./e2e/chaos

.PHONY: image
image: ## Build the image for this machine; its base is pulled, or made from Debian's packages
	@build/setup image
	@build/image/image

.PHONY: image-all
image-all: ## Build the images for amd64, arm64 and ppc64le
	@build/setup image
	@build/image/all $(PLATFORMS)

.PHONY: image-test
image-test: ## Test the image of this machine's architecture, in containers
	@build/setup image nbproc
	@build/image/test

.PHONY: image-fixtures
image-fixtures: ## Build what image-test needs, and test nothing
	@build/setup image nbproc
	@build/image/test --prepare

.PHONY: image-test-all
image-test-all: ## Test the images of all architectures, those of others emulated
	@build/setup image nbproc platforms
	@build/image/test arm64 ppc64le

.PHONY: deploy-test
deploy-test: ## Test build/deploy: VRRP, anycast, a stack in a Docker Swarm, chart and manifests on a node of Kubernetes
	@build/setup tests image deploy
	@build/image/fixtures zookeeper app
	@VERSION=test build/image/image haproxy-2.6 haproxy-zk-test:2.6-$$(go env GOARCH)
	@tools=$$(build/tools/tool etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl) && helm=$$(build/tools/tool helm) && \
		KUBERNETES_TOOLS=$$tools HELM=$$helm/helm E2E_LONG=1 go run ./e2e/testrun -race -tags deploy -count 1 -timeout 40m ./e2e/deploy

.PHONY: release-check
release-check: ## Make a release without publishing it, and look at it
	@build/setup image release
	@build/release/check

.PHONY: bench
bench: setup ## Run the benchmarks, then measure from end to end
	@echo 'bench: compiling, then benchmarks of some minutes each'
	go test -run '^$$' -bench . -benchmem ./...
	go run ./e2e/bench

.PHONY: bench-image
bench-image: ## Measure how soon a new container serves, beside the plain base
	@build/setup image
	@build/image/fixtures
	@build/image/image haproxy-2.6 haproxy-zk-test:2.6-$$(go env GOARCH)
	go run ./e2e/coldstart -image haproxy-zk-test:2.6-$$(go env GOARCH)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s), and keep what it finds
	@build/fuzz $(FUZZTIME)

.PHONY: fuzz-short
fuzz-short: ## Run all fuzz targets for FUZZSHORT seconds (60) together, and keep nothing
	@build/fuzz --short $(FUZZSHORT)

.PHONY: lint
lint: ## Check style, imports and modules
	@echo 'lint: compiling golangci-lint, which takes minutes the first time, and running it'
	$(GOLANGCI) run --allow-parallel-runners ./...
	go mod tidy -diff
	go mod verify

.PHONY: vuln
vuln: ## Check the dependencies against the database of vulnerabilities (network)
	@build/vuln

.PHONY: fmt
fmt: ## Format the code
	$(GOLANGCI) fmt ./...

.PHONY: clean
clean: ## Remove what was built, but for the tools of packaging in the user's cache
	rm -rf bin dist
