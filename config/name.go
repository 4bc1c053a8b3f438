package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// reservedNames are paths of the query API, so no proxy can have them.
const reservedNames = "metrics, healthz, readyz, ui, static, events, openapi.json, favicon.ico"

// nameForm is what HAProxy takes as the name of a backend, and what stands in
// a URL's path as it is.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)

// checkName tells why a group cannot have a name.
func checkName(name string) error {
	if !nameForm.MatchString(name) || name == "." || name == ".." {
		return fmt.Errorf(`%q cannot be a name: use only letters, digits and "_", ".", ":", "-"`, name)
	}
	return nil
}

// predefinedACL is what HAProxy's manual calls its pre-defined ACLs. One that we call
// so would take its place in the template's own rules.
var predefinedACL = regexp.MustCompile(`^(FALSE|TRUE|HTTP|HTTP_[0-9]\.[0-9]|HTTP_CONTENT|HTTP_URL_(ABS|SLASH|STAR)|LOCALHOST|METH_[A-Z]+|RDP_COOKIE|REQ_CONTENT|WAIT_END)$`)

// checkDiscoveredName tells why a name that ZooKeeper gives is not taken for a
// group: it may have any bytes and be a megabyte long.
func checkDiscoveredName(name string) error {
	if len(name) > longestDiscovered {
		return fmt.Errorf("%q… cannot be a name: it has %d bytes, and %d are allowed", name[:longestDiscovered], len(name), longestDiscovered)
	}
	if predefinedACL.MatchString(name) {
		return fmt.Errorf("%q cannot be the name of a discovered group: HAProxy has an ACL of that name, which the template's rules may mean", name)
	}
	if err := checkConditionName(name); err != nil {
		return err
	}
	return checkName(name)
}

// checkConditionName tells why a group that has conditions cannot have a name:
// HAProxy's ACL is called so.
func checkConditionName(name string) error {
	if strings.EqualFold(name, "or") {
		return fmt.Errorf("%q cannot be the name of a group with acls: it is HAProxy's word between two conditions", name)
	}
	return nil
}

// checkProxyName tells why a proxy cannot have a name.
func checkProxyName(name string) error {
	if slices.Contains(strings.Split(reservedNames, ", "), name) {
		return fmt.Errorf("%q is a path of the query API: use another name, none of %s", name, reservedNames)
	}
	return checkName(name)
}
