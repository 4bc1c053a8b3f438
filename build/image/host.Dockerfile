# A Debian host in a container: systemd is process 1, the distribution's HAProxy is there, and packages can be installed.
# It wants CAP_SYS_ADMIN, no seccomp, and tmpfs on /run, /run/lock and /tmp.
FROM scratch
ARG TARGETARCH
ADD ${TARGETARCH}/rootfs.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=docker
STOPSIGNAL SIGRTMIN+3
# Engines mount the control groups read-only, some of them as version 1: systemd gets the second version, writable.
ENTRYPOINT ["/bin/sh", "-c", "umount --recursive --lazy /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec /sbin/init"]
