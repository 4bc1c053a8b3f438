package config

import (
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// setting is one row of the reference in docs/configuration.md: something that users can
// set, by a key of the file, a variable of the environment, or both.
type setting struct {
	key      string
	variable string
	// fallback is the default as it would be written. RUN_DIR and NAME in it are the
	// environment's directory and the proxy's name.
	fallback string
	// otherwise is the default in words if it cannot be written literally; beside fallback,
	// it is the exception.
	otherwise string
	allowed   string
	does      string
}

// proxySettings returns the keys of a proxy.
func proxySettings() []setting {
	return []setting{
		{
			key: "zk.addr", variable: "ZK_ADDR", otherwise: "required without `dir`", allowed: zkAddr().give,
			does: "ZooKeeper servers; all paths are relative to the chroot",
		},
		{
			key: "dir", variable: "SERVICES_DIR", otherwise: "none", allowed: plainDir().give,
			does: "directory of the instances, in place of ZooKeeper or beside it: `DIR/GROUP/instances/IP:PORT` or lines in `DIR/GROUP.instances`; see [Instances in a directory](directory.md)",
		},
		{
			key: "zk.path", variable: "ZK_PATH", fallback: defaultZKPath, allowed: zkPath().give,
			does: "path of a group's instances; `${group}` or `${app}` is the group's name",
		},
		{
			key: "zk.format", variable: "ZK_FORMAT", otherwise: "`ip:port`; discovered groups: `auto`", allowed: zkFormat().give,
			does: "how instances are registered; see [Formats](registrations.md)",
		},
		{
			key: "groups", otherwise: "required", allowed: "an object of groups, which may be empty",
			does: `the groups (applications), in the order in which HAProxy evaluates their ACLs; "*" discovers them`,
		},
		{
			key: "exec", variable: "EXEC", fallback: DefaultExec, allowed: executable().give,
			does: "HAProxy executable",
		},
		{
			key: "template", variable: "TEMPLATE", otherwise: "built in, for http or tcp", allowed: plainFile().give,
			does: "your HAProxy configuration with placeholders; see [The template](#the-template)",
		},
		{
			key: "conf_file", variable: "CONF_FILE", fallback: "RUN_DIR/NAME.cfg", allowed: plainFile().give,
			does: "path of the rendered HAProxy configuration",
		},
		{
			key: "pid_file", variable: "PID_FILE", fallback: "RUN_DIR/NAME.pid", allowed: wordFile().give,
			does: "file to which HAProxy writes the pids of its workers",
		},
		{
			key: "socket_files", fallback: "RUN_DIR/NAME.1.sock", allowed: "an array; each is " + socketFile().give,
			does: "stats sockets, one per worker: a process (`nbproc`) before HAProxy 2.5, a thread (`nbthread`) from 2.5 on",
		},
		{
			key: "listener_port", variable: "LISTENER_PORT", fallback: defaultListenerPort, allowed: port().give,
			does: "port for clients, `$listener_port` in the template; a second proxy must set its own",
		},
		{
			key: "admin_port", variable: "ADMIN_PORT", fallback: defaultAdminPort, allowed: port().give,
			does: "port of the stats page, `$admin_port` in the template; a second proxy must set its own",
		},
		{
			key: "create_paths", variable: "CREATE_PATHS", fallback: defaultFlag, allowed: boolean().give,
			does: "create missing paths of configured groups, and the parent of discovered groups, as persistent znodes: open to everyone, or with `zk.auth` to its user only",
		},
		{
			key: "latency_histogram", variable: "LATENCY_HISTOGRAM", fallback: defaultFlag, allowed: boolean().give,
			does: "measure the durations of requests from HAProxy's log, in a histogram per group; see [Durations of requests](operations.md#durations-of-requests)",
		},
		{
			key: "allow_networks", variable: "ALLOW_NETWORKS", otherwise: "all except link-local", allowed: "an array, or a string with commas; each is " + giveNetwork,
			does: "only instances in these networks are used; link-local addresses (169.254.0.0/16, fe80::/10) must be listed explicitly",
		},
		{
			key: "deny_networks", variable: "DENY_NETWORKS", otherwise: "none", allowed: "an array, or a string with commas; each is " + giveNetwork,
			does: "instances in these networks are skipped and override allow_networks; addresses on which haproxy-zk or HAProxy itself listens are always skipped",
		},
		{
			key: "session_timeout", variable: "SESSION_TIMEOUT", fallback: defaultSessionTimeout, allowed: duration(minSessionTimeout).give,
			does: "timeout of the ZooKeeper session",
		},
		{
			key: "hard_stop_after", variable: "HARD_STOP_AFTER", fallback: defaultHardStopHTTP, otherwise: "0 when all groups are tcp", allowed: duration(0).give,
			does: "how long a worker replaced by a reload may keep its connections; 0 means no limit",
		},
		{
			key: "listener_hold", variable: "LISTENER_HOLD", fallback: defaultListenerHold, allowed: duration(0).give,
			does: "how long new connections wait for a replacement when no HAProxy process is alive, before they are refused; 0s refuses them at once",
		},
		{
			key: "stop_delay", variable: "STOP_DELAY", fallback: defaultStopDelay, allowed: duration(0).give,
			does: "how long HAProxy accepts connections after SIGTERM, while `/readyz` is 503 already; the longest of all proxies applies; see [Stopping behind another load balancer](operations.md#stopping-behind-another-load-balancer)",
		},
		{
			key: "stop_grace", variable: "STOP_GRACE", fallback: defaultStopGrace, allowed: duration(0).give,
			does: "how long running requests may continue after SIGTERM and `stop_delay`",
		},
		{
			key: "zk.auth", variable: "ZK_AUTH", otherwise: "none", allowed: zkAuth().give,
			does: "ZooKeeper credentials, sent in clear text: use `zk.tls` on shared networks",
		},
		{
			key: "zk.auth_file", variable: "ZK_AUTH_FILE", otherwise: "none", allowed: plainFile().give,
			does: "file that contains `zk.auth`; a trailing newline is ignored",
		},
		{
			key: "zk.sasl", variable: "ZK_SASL", otherwise: "none", allowed: zkSASL().give,
			does: "credentials for SASL with DIGEST-MD5, for servers that require it; the password is not sent",
		},
		{
			key: "zk.sasl_file", variable: "ZK_SASL_FILE", otherwise: "none", allowed: plainFile().give,
			does: "file that contains `zk.sasl`; a trailing newline is ignored",
		},
		{
			key: "zk.tls", otherwise: "none: no TLS", allowed: "an object of the four keys below, which may be empty",
			does: "connect to ZooKeeper with TLS 1.2 or later and verify its certificate",
		},
		{
			key: "zk.tls.ca", variable: "ZK_TLS_CA", otherwise: "the system's CAs", allowed: plainFile().give,
			does: "CA certificates that ZooKeeper's certificate must chain to, in PEM",
		},
		{
			key: "zk.tls.cert", variable: "ZK_TLS_CERT", otherwise: "none", allowed: plainFile().give,
			does: "client certificate with its intermediates, for servers that require one, in PEM",
		},
		{
			key: "zk.tls.key", variable: "ZK_TLS_KEY", otherwise: "none", allowed: plainFile().give,
			does: "private key of the client certificate, in PEM, unencrypted",
		},
		{
			key: "zk.tls.server_name", variable: "ZK_TLS_SERVER_NAME", otherwise: "the host in `zk.addr`", allowed: serverName().give,
			does: "name expected in ZooKeeper's certificate",
		},
	}
}

// groupSettings returns the keys of a group.
func groupSettings() []setting {
	return []setting{
		{
			key: "zk.path", otherwise: "the proxy's", allowed: zkPath().give,
			does: "path of this group's instances",
		},
		{
			key: "instances", otherwise: "none", allowed: "an array; each is " + giveInstance,
			does: "static instances, in addition to the registered ones; a proxy whose groups all have some needs neither `zk.addr` nor `dir`",
		},
		{
			key: "format", otherwise: "the proxy's `zk.format`", allowed: zkFormat().give,
			does: "how this group's instances are registered",
		},
		{
			key: "regex", variable: "REGEX", otherwise: "none", allowed: zkRegex().give,
			does: "expression of the format `regex`, which is applied to the names of znodes; a group weight (100 is full) is optional",
		},
		{
			key: "port_name", variable: "PORT_NAME", otherwise: "the instance's port", allowed: portName().give,
			does: "port to use when instances register several: of `additionalEndpoints` (`serverset`), `ports` (`nerve`), `sslPort` or a number in the metadata (`curator`)",
		},
		{
			key: "protocol", variable: "PROTOCOL", otherwise: "one that is HTTP (`tri`, `rest`, `http`, `h2`, `h2c`, `grpc`); tcp: any", allowed: protocol().give,
			does: "protocol to use when instances register several (`url`, `curator`); `https` takes Curator's sslPort only, with `server_tls`",
		},
		{
			key: "match", variable: "MATCH", otherwise: "none", allowed: giveMatch,
			does: "metadata that an instance must have to be in this group, so that several groups can split one path",
		},
		{
			key: "acls", otherwise: "none", allowed: "an array; each is " + acl().give,
			does: "conditions that select this group; one match is enough",
		},
		{
			key: "route", variable: "ROUTE", otherwise: "none; discovered without `acls`: `path`", allowed: route().give,
			does: "part of a request that names the group, instead of `acls`; see [Routes](#routes)",
		},
		{
			key: "mode", variable: "MODE", fallback: defaultMode, allowed: oneOf(modes()...).give,
			does: "protocol of the group",
		},
		{
			key: "balance", variable: "BALANCE", otherwise: "from the template's `defaults`, else `roundrobin`", allowed: balance().give,
			does: "load-balancing algorithm",
		},
		{
			key: "httpchk", variable: "HTTPCHK", otherwise: "none: the check only connects", allowed: httpCheck().give,
			does: "request of the HTTP health check; headers may follow the version, as in `\\r\\nHost:\\ example.com` (double each backslash in JSON); `${group}` or `${app}` is the group's name",
		},
		{
			key: "lines", otherwise: "none", allowed: "an array; each is " + haproxyLine,
			does: "extra lines for the group's backend, before its servers: timeouts, `http-check` and `http-request` rules, `stick-table`, `cookie`; `${group}` and the template's placeholders are expanded",
		},
		{
			key: "lines_file", variable: "LINES_FILE", otherwise: "none", allowed: plainFile().give,
			does: "file with more such lines; comments and empty lines are ignored",
		},
		{
			key: "server-template", variable: "SERVER_TEMPLATE", fallback: haproxy.DefaultServerTemplate, allowed: serverTemplate("", 1).give,
			does: "name prefix, slots and options of the group's servers",
		},
		{
			key: "server_tls", otherwise: "none: no TLS", allowed: "an object of the four keys below",
			does: "HAProxy connects to all instances of the group over TLS, and so do its health checks; of instances that register a port for TLS (`curator`), that one is used; see [TLS to instances](registrations.md#tls-to-instances)",
		},
		{
			key: "server_tls.ca", variable: "SERVER_TLS_CA", otherwise: "required unless `verify` is none", allowed: wordFile().give,
			does: "CA certificates that the instances' certificates must chain to, in PEM",
		},
		{
			key: "server_tls.server_name", variable: "SERVER_TLS_SERVER_NAME", otherwise: "none: any name is accepted", allowed: instanceName().give,
			does: "name sent to the instances (SNI) and expected in their certificates; `${group}` or `${app}` is the group's name",
		},
		{
			key: "server_tls.cert", variable: "SERVER_TLS_CERT", otherwise: "none", allowed: wordFile().give,
			does: "HAProxy's own certificate with its intermediates and its unencrypted key, for instances that require one, in PEM",
		},
		{
			key: "server_tls.verify", variable: "SERVER_TLS_VERIFY", otherwise: "`required`", allowed: serverVerify().give,
			does: "with none, certificates are not verified: the connection is encrypted, but anyone may answer",
		},
		{
			key: "max_server", variable: "MAX_SERVER", fallback: defaultMaxServer, allowed: count(haproxy.MaxSlots).give,
			does: "initial number of slots; when more instances register, a reload adds slots",
		},
		{
			key: "carry", variable: "CARRY", fallback: defaultCarry, allowed: carry().give,
			does: "how instances get servers: `slots` are rendered ahead of need; `servers` adds a server for each instance and deletes it afterwards, without `max_server` and reloads, from HAProxy 3.0 on; `backends` also adds and deletes groups that have a `route`, from 3.4 on; `auto` is the last of these that is possible; see [Servers without slots](#servers-without-slots)",
		},
		{
			key: "default_backend", fallback: defaultFlag, allowed: boolean().give,
			does: "this group receives requests that match no ACL; at most one group per proxy",
		},
		{
			key: "wait_check", variable: "WAIT_CHECK", fallback: defaultFlag, allowed: boolean().give,
			does: "a new instance receives requests only after its first successful health check",
		},
		{
			key: "listener_port", otherwise: "none", allowed: port().give,
			does: "port of a dedicated frontend for this group",
		},
		{
			key: "server_close", variable: "SERVER_CLOSE", otherwise: "false, unless kept clients would stay on deregistered instances; see [Kept clients](#kept-clients)", allowed: boolean().give,
			does: "`option http-server-close`: a server connection per request",
		},
		{
			key: "drain_timeout", variable: "DRAIN_TIMEOUT", fallback: defaultDrainTimeout, allowed: duration(0).give,
			does: "how long a deregistered instance still receives requests of its sticky sessions; with 0 it goes to maintenance at once, where running requests finish",
		},
		{
			key: "latency_histogram", otherwise: "the proxy's", allowed: boolean().give,
			does: "the same for this group",
		},
		{
			key: "loss_guard", variable: "LOSS_GUARD", fallback: defaultLossGuard, allowed: percentage().give,
			does: "share of a group (three instances or more) that must deregister at once to be held in service while it passes health checks",
		},
	}
}

// variableSettings returns the settings without a key.
func variableSettings() []setting {
	return []setting{
		{
			variable: "PROXY_NAME", fallback: defaultProxyName, allowed: `letters, digits and "_", ".", ":", "-"`,
			does: "name of the proxy: NAME in its file names, and an element of the query API's paths",
		},
		{
			variable: "ZK_GROUPS", otherwise: "none: groups are discovered", allowed: groupNames().give,
			does: "the groups, in the order in which HAProxy evaluates their ACLs",
		},
		{
			variable: "WORKERS", fallback: defaultWorkers, allowed: count(maxWorkers).give,
			does: "number of workers; each has a stats socket `RUN_DIR/NAME.N.sock`",
		},
		{
			variable: "ACL", otherwise: "discovered: see `ROUTE`; with `ZK_GROUPS`, http: `path -i /${group}` and `path_beg -i /${group}/`", allowed: condition().give,
			does: "condition that selects a group; `${group}` or `${app}` is its name",
		},
		{
			variable: "DEFAULT_BACKEND", otherwise: "none; MODE=tcp: the one group", allowed: "a group's name",
			does: "the group that receives requests that match no ACL",
		},
		{
			variable: "ADMIN_USER", otherwise: "none: the stats page is read-only", allowed: userName().give,
			does: "user who may make changes on the built-in template's stats page; requires a password",
		},
		{
			variable: "ADMIN_PASSWORD", otherwise: "none", allowed: secretForm().give,
			does: "password of ADMIN_USER",
		},
		{
			variable: "ADMIN_PASSWORD_FILE", otherwise: "none", allowed: plainFile().give,
			does: "file that contains ADMIN_PASSWORD; a trailing newline is ignored",
		},
	}
}

// variableNames returns the variables that stand for keys, by key.
func variableNames() map[string]string {
	names := map[string]string{
		"groups":          "ZK_GROUPS",
		"socket_files":    "RUN_DIR",
		"acls":            "ACL",
		"default_backend": "DEFAULT_BACKEND",
	}
	for _, settings := range [][]setting{groupSettings(), proxySettings()} {
		for _, s := range settings {
			if s.variable != "" {
				names[s.key] = s.variable
			}
		}
	}
	return names
}
