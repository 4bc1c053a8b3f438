# check=error=true
# haproxy-zk on the HAProxy of HAPROXY_IMAGE. `docker build .` works with BuildKit, and with the legacy builder that Docker
# before 23 uses: hence no RUN --mount, no COPY --chmod, and a default for BUILDPLATFORM. docker-bake.hcl and .goreleaser.yaml
# replace the stage bin with a directory of binaries: --build-context bin=DIR, DIR/linux/ARCH/haproxy-zk.
ARG HAPROXY_IMAGE=haproxy:2.0
ARG GO_IMAGE=golang:1.26
# The newest heading of CHANGELOG.md: .git is not in the build context.
ARG VERSION=0.1.0-unreleased

FROM --platform=${BUILDPLATFORM:-linux} ${GO_IMAGE} AS bin
WORKDIR /src
COPY go.mod go.sum ./
RUN echo 'haproxy-zk: downloading the Go modules' && go mod download
COPY . .
ARG TARGETOS TARGETARCH TARGETPLATFORM VERSION HAPROXY_IMAGE
RUN echo "haproxy-zk: compiling ${VERSION}, about a minute" && \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /${TARGETPLATFORM}/haproxy-zk ./cmd/haproxy-zk && \
    build/image/end-of-life "${HAPROXY_IMAGE}"

FROM ${HAPROXY_IMAGE} AS haproxy

# Nothing is run in the base, which needs no shell, and an image of another architecture no emulation.
FROM haproxy
ARG TARGETPLATFORM VERSION HAPROXY_IMAGE
USER 0:0
# RUN_DIR and STATE_DIR, for any --user: the tar has their mode, 1777. Where the base lacks a parent, WORKDIR makes it 0755.
WORKDIR /run
WORKDIR /var/lib
WORKDIR /
ADD build/image/folders.tar /
COPY --from=bin /${TARGETPLATFORM}/haproxy-zk /usr/local/bin/haproxy-zk

# The base has an entrypoint, a command and a signal of its own, for a HAProxy that is process 1.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/haproxy-zk"]
CMD []
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/haproxy-zk", "healthcheck"]
# The listener, the stats page, the query API.
EXPOSE 8080 20001 21000
LABEL org.opencontainers.image.title="haproxy-zk" \
      org.opencontainers.image.description="keeps HAProxy's servers in sync with what is registered in ZooKeeper" \
      org.opencontainers.image.url="https://github.com/haproxy-zk/haproxy-zk" \
      org.opencontainers.image.source="https://github.com/haproxy-zk/haproxy-zk" \
      org.opencontainers.image.documentation="https://github.com/haproxy-zk/haproxy-zk#readme" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.base.name="${HAPROXY_IMAGE}"
