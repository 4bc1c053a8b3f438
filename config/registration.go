package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/register"
)

// Registration is what haproxy-zk register keeps registered, and how.
type Registration struct {
	ZooKeeper      ZooKeeper
	SessionTimeout time.Duration
	// Path is the path of the group's instances.
	Path string
	// Access is open, readable or owner.
	Access   string
	Instance register.Instance
	// Address is complete.
	Address           register.Address
	Check             register.Check
	Interval, Timeout time.Duration
	Rules             register.Rules
}

// Deregistering is how long ZooKeeper may take to delete a node before a stop continues.
const Deregistering = 3 * time.Second

// RegistrationFromEnvironment returns the registration described by variables: the
// environment as returned by [Resolve], in which flags have replaced their variables. An
// empty variable counts as not set. All problems are reported at once; the Key of each is
// that of place. env.Lookup is not used.
func RegistrationFromEnvironment(env Environment, variables map[string]string, place func(variable string) string) (*Registration, error) {
	env.Lookup = func(name string) (string, bool) {
		text, set := variables[name]
		return text, set && !slices.Contains(environmentSecrets(), name)
	}
	env.complete()
	e := &envReader{
		loader: &loader{env: env, report: &report{file: "register", lineless: true}, variables: variableNames()},
		set:    variables,
		places: make(map[string]int),
	}
	e.variables["session_timeout"] = "REGISTER_SESSION_TIMEOUT"
	for i, s := range registrationSettings() {
		e.places[s.variable] = i + 1
	}
	r := e.readRegistration()
	if problems := sorted(e.errors); len(problems) > 0 {
		for i, p := range problems {
			problems[i].Key = place(p.Key)
		}
		return nil, &problems
	}
	return r, nil
}

// RegistrationVariables returns the names of the variables of
// [RegistrationFromEnvironment].
func RegistrationVariables() []string {
	var names []string
	for _, s := range registrationSettings() {
		names = append(names, s.variable)
	}
	return names
}

func (e *envReader) readRegistration() *Registration {
	r := &Registration{
		Access: readVariable(e, "REGISTER_ACCESS", oneOf(accesses()...)),
		Instance: register.Instance{
			Format:   register.Format(readVariable(e, "REGISTER_FORMAT", oneOf(formats()...))),
			Group:    readVariable(e, "REGISTER_GROUP", groupName()),
			Weight:   readVariable(e, "REGISTER_WEIGHT", count(register.MostWeight)),
			Metadata: readVariable(e, "REGISTER_METADATA", pairs()),
		},
		Address:  readVariable(e, "REGISTER_ADDRESS", ownAddress()),
		Check:    readVariable(e, "REGISTER_CHECK", checkForm()),
		Interval: readVariable(e, "REGISTER_INTERVAL", duration(shortestCheck)),
		Timeout:  readVariable(e, "REGISTER_TIMEOUT", duration(shortestCheck)),
		Rules: register.Rules{
			Passes:   readVariable(e, "REGISTER_PASSES", count(mostChecks)),
			Failures: readVariable(e, "REGISTER_FAILURES", count(mostChecks)),
			Drain:    readVariable(e, "REGISTER_DRAIN", duration(0)),
			Grace:    readVariable(e, "REGISTER_GRACE", duration(0)),
			Patience: Deregistering,
		},
	}
	e.readServers(r)
	group := e.get("REGISTER_GROUP", "")
	if group.missing() {
		e.errorf(group.at, group.key, "it is missing: give %s", groupName().give)
	}
	if err := r.Instance.Validate(); err != nil {
		format := e.get("REGISTER_FORMAT", "")
		e.errorf(format.at, format.key, "%v", err)
	}
	complete, err := r.Address.Complete(r.Check)
	if err != nil && len(e.errors) == 0 {
		v := e.get("REGISTER_ADDRESS", "")
		e.errorf(v.at, v.key, "%v", err)
	}
	r.Address = complete
	r.Path = strings.NewReplacer("${group}", r.Instance.Group, "${app}", r.Instance.Group).Replace(r.Path)
	return r
}

// readServers reads the settings of ZooKeeper, as those of a proxy.
func (e *envReader) readServers(r *Registration) {
	keyed := slices.DeleteFunc(registrationSettings(), func(s setting) bool { return s.key == "" })
	o, ok := e.object(value{node: node{kind: isObject, members: e.members(keyed)}}, "")
	if !ok {
		return
	}
	o.require("zk.addr", zkAddr().give)
	r.ZooKeeper = read(o, "zk.addr", zkAddr(), "")
	r.Path = read(o, "zk.path", zkPath(), defaultZKPath)
	r.SessionTimeout = read(o, "session_timeout", duration(minSessionTimeout), defaultSessionTimeout)
	r.ZooKeeper.Auth, _ = o.readSecret(o.get("zk.auth", ""), o.get("zk.auth_file", ""), zkAuth())
	r.ZooKeeper.SASL, _ = o.readSecret(o.get("zk.sasl", ""), o.get("zk.sasl_file", ""), zkSASL())
	r.ZooKeeper.TLS = o.readTLS()
}

// readVariable returns the meaning of a variable, or of its default.
func readVariable[T any](e *envReader, name string, f form[T]) (got T) {
	fallback := ""
	for _, s := range registrationSettings() {
		if s.variable == name {
			fallback = s.fallback
		}
	}
	got, _ = interpret(e.loader, e.get(name, fallback), f)
	return got
}

func groupName() form[string] {
	return form[string]{
		give: "the name of the application, as in web",
		parse: func(text string) (string, error) {
			if len(text) > maxDiscoveredName {
				return "", fmt.Errorf("it has %d bytes, and %d are allowed", len(text), maxDiscoveredName)
			}
			return text, checkName(text)
		},
	}
}

func ownAddress() form[register.Address] {
	return form[register.Address]{give: "IP:PORT, or :PORT for this machine's own IP", parse: register.ParseAddress}
}

func checkForm() form[register.Check] {
	return form[register.Check]{
		give: `http://HOST:PORT/PATH, https://HOST:PORT/PATH, tcp://HOST:PORT, or "none"`, parse: register.ParseCheck,
	}
}

// pairs are metadata.
func pairs() form[map[string]string] {
	return form[map[string]string]{
		give: "KEY=VALUE, or several separated by commas",
		parse: func(text string) (map[string]string, error) {
			all := make(map[string]string)
			for item := range strings.SplitSeq(text, ",") {
				key, text, found := strings.Cut(item, "=")
				if key = strings.TrimSpace(key); key == "" || !found {
					return nil, fmt.Errorf("%q is not KEY=VALUE", item)
				}
				all[key] = text
			}
			return all, nil
		},
	}
}
