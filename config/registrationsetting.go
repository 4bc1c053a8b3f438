package config

import (
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/register"
)

const (
	shortestCheck = 100 * time.Millisecond
	// mostChecks bounds the checks in a row that a decision may need.
	mostChecks = 100
)

func formats() []string {
	var names []string
	for _, f := range register.Formats() {
		names = append(names, string(f))
	}
	return names
}

// accesses are the kinds of syncer.Access.
func accesses() []string { return []string{"readable", "open", "owner"} }

// registrationSettings returns the settings of haproxy-zk register. Those of ZooKeeper are
// the proxy's; the other names begin with REGISTER_, since the environment is that of the
// application too.
func registrationSettings() []setting {
	var all []setting
	for _, s := range proxySettings() {
		if slices.Contains([]string{"ZK_ADDR", "ZK_PATH", "ZK_AUTH", "ZK_AUTH_FILE", "ZK_SASL", "ZK_SASL_FILE", "ZK_TLS_CA", "ZK_TLS_CERT", "ZK_TLS_KEY", "ZK_TLS_SERVER_NAME"}, s.variable) {
			if s.variable == "ZK_ADDR" {
				s.otherwise = "required"
			}
			all = append(all, s)
		}
	}
	return append(all,
		setting{
			key: "session_timeout", variable: "REGISTER_SESSION_TIMEOUT", fallback: defaultSessionTimeout, allowed: duration(minSessionTimeout).give,
			does: "timeout of the ZooKeeper session: how long the node outlives a crash",
		},
		setting{
			variable: "REGISTER_GROUP", otherwise: "required", allowed: groupName().give,
			does: "the group",
		},
		setting{
			variable: "REGISTER_ADDRESS", otherwise: "this machine's IP and the port of the check", allowed: ownAddress().give,
			does: "the address under which load balancers reach the instance",
		},
		setting{
			variable: "REGISTER_CHECK", otherwise: "a connection to the address", allowed: checkForm().give,
			does: "what must succeed for the instance to be registered; HTTP: 2xx or 3xx, the certificate is not verified",
		},
		setting{
			variable: "REGISTER_INTERVAL", fallback: "2s", allowed: duration(shortestCheck).give,
			does: "time between two checks, ±20 %; until the first success they begin at 0.1 s",
		},
		setting{
			variable: "REGISTER_TIMEOUT", fallback: "1s", allowed: duration(shortestCheck).give,
			does: "how long one check may take",
		},
		setting{
			variable: "REGISTER_PASSES", fallback: "1", allowed: count(mostChecks).give,
			does: "checks in a row that must succeed before the node is created",
		},
		setting{
			variable: "REGISTER_FAILURES", fallback: "3", allowed: count(mostChecks).give,
			does: "checks in a row that must fail before the node is deleted",
		},
		setting{
			variable: "REGISTER_FORMAT", fallback: string(register.Name), allowed: oneOf(formats()...).give,
			does: "how the registration is written",
		},
		setting{
			variable: "REGISTER_WEIGHT", otherwise: "none", allowed: count(register.MostWeight).give,
			does: "share of the requests, in percent of that of other instances; curator, nerve and data",
		},
		setting{
			variable: "REGISTER_METADATA", otherwise: "none", allowed: pairs().give,
			does: "facts about the instance; curator, serverset and nerve",
		},
		setting{
			variable: "REGISTER_ACCESS", fallback: "readable", allowed: oneOf(accesses()...).give,
			does: "with `ZK_AUTH`, the ACL of the node and of parents that are created: its user may do everything, and everyone may read, do everything too, or do nothing",
		},
		setting{
			variable: "REGISTER_DRAIN", fallback: "5s", allowed: duration(0).give,
			does: "how long the command still runs after the node was deleted",
		},
		setting{
			variable: "REGISTER_GRACE", fallback: "20s", allowed: duration(0).give,
			does: "how long the command may take to stop before it and its process group get SIGKILL",
		},
	)
}
