package config

import "strings"

// setting is one row of the reference in docs/configuration.md: something that
// users can set, by a key of the file, a variable of the environment, or both.
type setting struct {
	key      string
	variable string
	// fallback is the default as it would be written. RUN_DIR and NAME in it
	// are the environment's directory and the proxy's name.
	fallback string
	// otherwise is the default in words, if there is none that could be
	// written; with one, where it is another.
	otherwise string
	allowed   string
	does      string
}

// proxySettings are the keys of a proxy.
func proxySettings() []setting {
	return []setting{
		{
			key: "zk.addr", variable: "ZK_ADDR", otherwise: "required", allowed: zooKeeper().give,
			does: "the ZooKeeper servers; every path is below the chroot",
		},
		{
			key: "zk.path", variable: "ZK_PATH", fallback: defaultZKPath, allowed: zkPath().give,
			does: "where a group's instances are registered; `${group}` or `${app}` is the group's name",
		},
		{
			key: "groups", otherwise: "required", allowed: "an object of groups, which may be empty",
			does: `the applications, in the order in which HAProxy tries their ACLs; "*" discovers them`,
		},
		{
			key: "exec", variable: "EXEC", fallback: defaultExec, allowed: executable().give,
			does: "HAProxy's executable",
		},
		{
			key: "template", variable: "TEMPLATE", otherwise: "built in, for http or tcp", allowed: plainFile().give,
			does: "your HAProxy configuration with our placeholders",
		},
		{
			key: "conf_file", variable: "CONF_FILE", fallback: "RUN_DIR/NAME.cfg", allowed: plainFile().give,
			does: "where the rendered configuration is written",
		},
		{
			key: "pid_file", variable: "PID_FILE", fallback: "RUN_DIR/NAME.pid", allowed: wordFile().give,
			does: "where HAProxy writes the process ids of its workers",
		},
		{
			key: "socket_files", fallback: "RUN_DIR/NAME.1.sock", allowed: "an array; each is " + socketFile().give,
			does: "the stats sockets, one for each worker: `nbproc` below HAProxy 2.5, `nbthread` from there on",
		},
		{
			key: "listener_port", variable: "LISTENER_PORT", fallback: defaultListenerPort, allowed: port().give,
			does: "`$listener_port` of the template: where clients connect; a second proxy must name its own",
		},
		{
			key: "admin_port", variable: "ADMIN_PORT", fallback: defaultAdminPort, allowed: port().give,
			does: "`$admin_port` of the template: the stats page; a second proxy must name its own",
		},
		{
			key: "session_timeout", variable: "SESSION_TIMEOUT", fallback: defaultSessionTimeout, allowed: duration(shortestSession).give,
			does: "of the ZooKeeper session",
		},
		{
			key: "hard_stop_after", variable: "HARD_STOP_AFTER", fallback: defaultHardStopHTTP, otherwise: "0 when all groups are tcp", allowed: duration(0).give,
			does: "how long a worker that a reload replaced may finish its connections; 0 is for ever",
		},
		{
			key: "stop_grace", variable: "STOP_GRACE", fallback: defaultStopGrace, allowed: duration(0).give,
			does: "how long connections may finish after SIGTERM",
		},
		{
			key: "zk.auth", variable: "ZK_AUTH", otherwise: "none", allowed: zkAuth().give,
			does: "who reads; ZooKeeper gets it as it is, so it wants TLS on a network that others use",
		},
		{
			key: "zk.auth_file", variable: "ZK_AUTH_FILE", otherwise: "none", allowed: plainFile().give,
			does: "a file that holds `zk.auth`; a line break at its end is left out",
		},
		{
			key: "zk.tls", otherwise: "none: in the clear", allowed: "an object of the four below, which may be empty",
			does: "ZooKeeper is spoken to in TLS 1.2 or later, and its certificate is checked",
		},
		{
			key: "zk.tls.ca", variable: "ZK_TLS_CA", otherwise: "the system's", allowed: plainFile().give,
			does: "the authorities that sign ZooKeeper's certificates, in PEM",
		},
		{
			key: "zk.tls.cert", variable: "ZK_TLS_CERT", otherwise: "none", allowed: plainFile().give,
			does: "our certificate, for servers that ask for one, and those between it and the authority, in PEM",
		},
		{
			key: "zk.tls.key", variable: "ZK_TLS_KEY", otherwise: "none", allowed: plainFile().give,
			does: "its private key, in PEM, not encrypted",
		},
		{
			key: "zk.tls.server_name", variable: "ZK_TLS_SERVER_NAME", otherwise: "the host of the server that is dialled", allowed: serverName().give,
			does: "whom ZooKeeper's certificates are for",
		},
	}
}

// groupSettings are the keys of a group.
func groupSettings() []setting {
	return []setting{
		{
			key: "zk.path", otherwise: "the proxy's", allowed: zkPath().give,
			does: "where this group's instances are registered",
		},
		{
			key: "acls", otherwise: "none; discovered, http: `path -i /${group}` and `path_beg -i /${group}/`",
			allowed: "an array; each is " + acl().give,
			does:    "which requests go here: one condition that holds is enough",
		},
		{
			key: "mode", variable: "MODE", fallback: defaultMode, allowed: oneOf(modes()...).give,
			does: "what HAProxy speaks to the instances",
		},
		{
			key: "balance", variable: "BALANCE", fallback: defaultBalance, allowed: balance().give,
			does: "how requests are spread over the instances",
		},
		{
			key: "httpchk", variable: "HTTPCHK", otherwise: "none: a check connects", allowed: httpCheck().give,
			does: "what a health check asks for; `${group}` or `${app}` is the group's name",
		},
		{
			key: "server-template", variable: "SERVER_TEMPLATE", fallback: defaultServerTemplate, allowed: serverTemplate("", 1).give,
			does: "the slots and the options of every server",
		},
		{
			key: "max_server", variable: "MAX_SERVER", fallback: defaultMaxServer, allowed: count(mostServers).give,
			does: "the slots to begin with; more instances add slots by a reload",
		},
		{
			key: "default_backend", fallback: defaultFlag, allowed: boolean().give,
			does: "this group takes what no ACL takes; one of a proxy's groups can",
		},
		{
			key: "wait_check", variable: "WAIT_CHECK", fallback: defaultFlag, allowed: boolean().give,
			does: "a new instance serves only after its first good health check",
		},
		{
			key: "listener_port", otherwise: "none", allowed: port().give,
			does: "a frontend for this group alone",
		},
		{
			key: "server_close", variable: "SERVER_CLOSE", otherwise: "true for http below HAProxy 2.2, else false", allowed: boolean().give,
			does: "`option http-server-close`: without it those versions keep a client on an instance that has left",
		},
		{
			key: "drain_timeout", variable: "DRAIN_TIMEOUT", fallback: defaultDrainTimeout, allowed: duration(0).give,
			does: "how long an instance that leaves still gets the requests of its sticky sessions; 0 sends it straight to maintenance, where running requests finish",
		},
		{
			key: "loss_guard", variable: "LOSS_GUARD", fallback: defaultLossGuard, allowed: percentage().give,
			does: "how much of a group of three or more must leave at once to be held in service while health checks find it up",
		},
	}
}

// variableSettings are what only the environment has.
func variableSettings() []setting {
	return []setting{
		{
			variable: "PROXY_NAME", fallback: defaultProxyName, allowed: `letters, digits and "_", ".", ":", "-"`,
			does: "the proxy's name: the NAME of its files, and an element of the query API's paths",
		},
		{
			variable: "ZK_GROUPS", otherwise: "none: groups are discovered", allowed: groupNames().give,
			does: "the groups, in the order in which HAProxy tries their ACLs",
		},
		{
			variable: "WORKERS", fallback: defaultWorkers, allowed: count(mostWorkers).give,
			does: "how many workers: each has a stats socket `RUN_DIR/NAME.N.sock`",
		},
		{
			variable: "ACL", otherwise: "http: `path -i /${group}` and `path_beg -i /${group}/`", allowed: condition().give,
			does: "which requests go to a group; `${group}` or `${app}` is its name",
		},
		{
			variable: "DEFAULT_BACKEND", otherwise: "none; MODE=tcp: the one group", allowed: "a group's name",
			does: "the group that takes what no ACL takes",
		},
		{
			variable: "ADMIN_USER", otherwise: "none: the stats page only shows", allowed: userName().give,
			does: "who may change things on the built-in templates' stats page; needs a password",
		},
		{
			variable: "ADMIN_PASSWORD", otherwise: "none", allowed: secret().give,
			does: "of ADMIN_USER",
		},
		{
			variable: "ADMIN_PASSWORD_FILE", otherwise: "none", allowed: plainFile().give,
			does: "a file that holds ADMIN_PASSWORD; a line break at its end is left out",
		},
	}
}

// variableNames are the variables that stand for keys.
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
				names[strings.TrimPrefix(s.key, tlsPrefix)] = s.variable
			}
		}
	}
	return names
}
