package syncer

import "log/slog"

// linkLog logs the end of a link with its consequence, and with the attributes of a streak.
type linkLog interface {
	lost(server, reason string, attrs []any)
	unreachable(problem string, attrs []any)
	expired(server string)
}

// keepingInstances is the linkLog of a [Syncer].
type keepingInstances struct{ log *slog.Logger }

func (k keepingInstances) lost(server, reason string, attrs []any) {
	k.log.With(attrs...).Warn("disconnected from ZooKeeper, keeping all instances", "server", server, "reason", reason)
}

func (k keepingInstances) unreachable(problem string, attrs []any) {
	k.log.With(attrs...).Warn("cannot reach ZooKeeper, keeping all instances", "problem", problem)
}

func (k keepingInstances) expired(server string) {
	k.log.Warn("session expired, reading everything again", "server", server)
}

// keepingRegistration is the linkLog of a [Registrar].
type keepingRegistration struct{ log *slog.Logger }

func (k keepingRegistration) lost(server, reason string, attrs []any) {
	k.log.With(attrs...).Warn("disconnected from ZooKeeper, a registration lasts until the session expires", "server", server, "reason", reason)
}

func (k keepingRegistration) unreachable(problem string, attrs []any) {
	k.log.With(attrs...).Warn("cannot reach ZooKeeper, will retry", "problem", problem)
}

func (k keepingRegistration) expired(server string) {
	k.log.Warn("session expired, the registration is gone", "server", server)
}
