package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/logging"
)

// registerFlags are the flags of register, with what they do.
func registerFlags() [][2]string {
	return [][2]string{
		{"zk", "ZooKeeper servers, host:port separated by commas, then optionally a /chroot"},
		{"zk-path", "path of the group's instances (default /services/${group}/instances)"},
		{"zk-auth-file", "file with digest:USER:PASSWORD"},
		{"zk-sasl-file", "file with USER:PASSWORD of SASL with DIGEST-MD5"},
		{"zk-tls-ca", "CA certificates of ZooKeeper, in PEM: use TLS"},
		{"zk-tls-cert", "client certificate, in PEM"},
		{"zk-tls-key", "private key of the client certificate, in PEM"},
		{"zk-tls-server-name", "name expected in ZooKeeper's certificate"},
		{"session-timeout", "how long the node outlives a crash (default 10s)"},
		{"group", "name of the application"},
		{"address", "IP:PORT of the instance, or :PORT (default the own IP, and the port of the check)"},
		{"check", "http://HOST:PORT/PATH, https://…, tcp://HOST:PORT or none (default a connection to the address)"},
		{"interval", "time between two checks (default 2s)"},
		{"timeout", "how long one check may take (default 1s)"},
		{"passes", "checks in a row that must succeed before the node is created (default 1)"},
		{"failures", "checks in a row that must fail before the node is deleted (default 3)"},
		{"format", "name, curator, serverset, nerve or data (default name)"},
		{"weight", "share of the requests in percent, 1 to 256; curator, nerve and data"},
		{"metadata", "KEY=VALUE, several separated by commas; curator, serverset and nerve"},
		{"access", "ACL with credentials: readable, open or owner (default readable)"},
		{"drain", "how long the command still runs after the node was deleted (default 5s)"},
		{"grace", "how long the command may take to stop before SIGKILL (default 20s)"},
	}
}

// registerVariable returns the variable of a flag.
func registerVariable(flag string) string {
	name := strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
	switch {
	case flag == "zk":
		return "ZK_ADDR"
	case strings.HasPrefix(flag, "zk-"):
		return name
	}
	return "REGISTER_" + name
}

func declareRegisterFlags(cmd *cobra.Command) {
	for _, f := range registerFlags() {
		cmd.Flags().String(f[0], "", f[1])
	}
	cmd.Flags().SortFlags = false
	complete(cmd, "format", "name", "curator", "serverset", "nerve", "data")
	complete(cmd, "access", "readable", "open", "owner")
}

// readRegistration reads the environment, then the flags, which win. It removes the
// password from the environment, which the command gets.
func readRegistration(cmd *cobra.Command) (*config.Registration, logging.Options, error) {
	environment, _ := config.Resolve(env.ToMap(os.Environ()), config.RegistrationVariables()...)
	flags := make(map[string]string)
	for _, f := range registerFlags() {
		variable := registerVariable(f[0])
		flags[variable] = f[0]
		if given := cmd.Flags().Lookup(f[0]); given.Changed {
			delete(environment, config.Prefix+variable)
			environment[variable] = given.Value.String()
		}
	}
	settings, err := config.RegistrationFromEnvironment(config.Environment{ReadFile: os.ReadFile}, environment, func(variable string) string {
		name := config.Spell(variable, environment)
		if flag := flags[variable]; flag != "" {
			name = "--" + flag + " or " + name
		}
		return name
	})
	if err != nil {
		return nil, logging.Options{}, err
	}
	for _, name := range []string{"ZK_AUTH", config.Prefix + "ZK_AUTH", "ZK_SASL", config.Prefix + "ZK_SASL"} {
		_ = os.Unsetenv(name) // it fails for no name that is one
	}
	options, err := registerLog(cmd)
	return settings, options, err
}

// registerLog returns how to log. LOG_LEVEL and LOG_FORMAT may be the application's, with
// other values, and then have no effect.
func registerLog(cmd *cobra.Command) (logging.Options, error) {
	var level slog.Level
	o := logging.Options{Level: &level}
	for _, setting := range []struct {
		flag, variable, allowed string
		set                     func(text string) bool
	}{
		{"log-level", "LOG_LEVEL", "debug, info, warn or error", func(text string) bool { return level.UnmarshalText([]byte(text)) == nil }},
		{"log-format", "LOG_FORMAT", "text or json", func(text string) bool {
			known := slices.Contains([]string{"text", "json"}, text)
			if known {
				o.Format = text
			}
			return known
		}},
	} {
		if text := os.Getenv(setting.variable); text != "" {
			setting.set(text)
		}
		for _, text := range []string{os.Getenv(config.Prefix + setting.variable), cmd.Flag(setting.flag).Value.String()} {
			if text != "" && !setting.set(text) {
				return o, fmt.Errorf("--%s or %s: %q is not known: give %s", setting.flag, config.Prefix+setting.variable, text, setting.allowed)
			}
		}
	}
	return o, nil
}
