# A stand-in for the official Go image, made from the distribution's packages, this machine's Go and modules, and a build cache.
FROM scratch
ARG TARGETARCH
ADD ${TARGETARCH}/rootfs.tar /
ENV PATH=/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin GOPATH=/go GOTOOLCHAIN=local GOCACHE=/usr/local/cache GOPROXY=file:///usr/local/proxy GOSUMDB=off
WORKDIR /go
