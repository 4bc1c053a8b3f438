# check=error=true
# haproxy-zk on the HAProxy of HAPROXY_IMAGE. `docker build .` needs nothing else; docker-bake.hcl and .goreleaser.yaml
# replace the stage bin by a folder of binaries that are built already: --build-context bin=DIR, DIR/linux/ARCH/haproxy-zk.
ARG HAPROXY_IMAGE=haproxy:2.0
ARG GO_IMAGE=golang:1.26

FROM --platform=${BUILDPLATFORM} ${GO_IMAGE} AS bin
ARG TARGETOS TARGETARCH TARGETPLATFORM VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /${TARGETPLATFORM}/haproxy-zk ./cmd/haproxy-zk

FROM ${HAPROXY_IMAGE} AS haproxy

# Nothing is run in the base, which needs no shell, and an image of another architecture no emulation.
FROM haproxy
ARG TARGETPLATFORM VERSION=dev HAPROXY_IMAGE
USER 0:0
# RUN_DIR and STATE_DIR, for whatever user it runs as. A folder that COPY itself makes above them would get their mode.
WORKDIR /run
WORKDIR /var/lib
WORKDIR /
COPY --chmod=0777 build/image/folders/ /run/
COPY --chmod=0777 build/image/folders/ /var/lib/
COPY --from=bin --chmod=0755 /${TARGETPLATFORM}/haproxy-zk /usr/local/bin/haproxy-zk

# The base has an entrypoint, a command and a signal of its own, for a HAProxy that is process 1.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/haproxy-zk"]
CMD []
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/haproxy-zk", "healthcheck"]
# The listener, the stats page, the query API.
EXPOSE 8080 20001 21000
LABEL org.opencontainers.image.title="haproxy-zk" \
      org.opencontainers.image.description="keeps the servers of HAProxy equal to what is registered in ZooKeeper" \
      org.opencontainers.image.url="https://github.com/haproxy-zk/haproxy-zk" \
      org.opencontainers.image.source="https://github.com/haproxy-zk/haproxy-zk" \
      org.opencontainers.image.documentation="https://github.com/haproxy-zk/haproxy-zk#readme" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.base.name="${HAPROXY_IMAGE}"
