# A stand-in for the official HAProxy image, made from the distribution's packages. It has that image's settings, so that
# what ours overrides is really overridden: a signal and an entrypoint for a HAProxy that is process 1.
FROM scratch
ARG TARGETARCH
ADD ${TARGETARCH}/rootfs.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
STOPSIGNAL SIGUSR1
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
