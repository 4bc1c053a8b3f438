package plan

import (
	"crypto/tls"
	"os"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// Admission returns the rules that decide which of the plan's instances may serve.
func (pl *Plan) Admission(own *syncer.Listeners) syncer.Admission {
	return syncer.Admission{Allow: pl.AllowNetworks, Deny: pl.DenyNetworks, Own: own.Own}
}

// Secure returns the TLS configuration for ZooKeeper with these settings; nil means no
// TLS. Certificates are read on each call of the result.
func Secure(t *config.TLS) syncer.Secure {
	if t == nil {
		return nil
	}
	return func() (*tls.Config, error) { return t.Load(os.ReadFile) }
}
