package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// nameForm matches names that are valid for a HAProxy backend and need no escaping in a
// URL's path.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)

// checkName returns why a name is invalid.
func checkName(name string) error {
	if !nameForm.MatchString(name) || name == "." || name == ".." {
		return fmt.Errorf(`%q cannot be a name: use only letters, digits and "_", ".", ":", "-"`, name)
	}
	return nil
}

// predefinedACL matches HAProxy's pre-defined ACLs. An ACL of the same name would replace
// them in the template's own rules.
var predefinedACL = regexp.MustCompile(`^(FALSE|TRUE|HTTP|HTTP_[0-9]\.[0-9]|HTTP_CONTENT|HTTP_URL_(ABS|SLASH|STAR)|LOCALHOST|METH_[A-Z]+|RDP_COOKIE|REQ_CONTENT|WAIT_END)$`)

// checkDiscoveredName returns why a name from ZooKeeper cannot be that of a group: it may
// have any bytes and be a megabyte long.
func checkDiscoveredName(name string) error {
	if len(name) > maxDiscoveredName {
		return fmt.Errorf("%q… cannot be a name: it has %d bytes, and %d are allowed", name[:maxDiscoveredName], len(name), maxDiscoveredName)
	}
	if predefinedACL.MatchString(name) {
		return fmt.Errorf("%q cannot be the name of a discovered group: HAProxy has an ACL of that name, which the template's rules may mean", name)
	}
	if err := checkConditionName(name); err != nil {
		return err
	}
	return checkName(name)
}

// checkConditionName returns why a group with conditions cannot have a name, which is also
// that of its ACL.
func checkConditionName(name string) error {
	if strings.EqualFold(name, "or") {
		return fmt.Errorf("%q cannot be the name of a group with acls: it is HAProxy's operator between two conditions", name)
	}
	return nil
}

// checkProxyName returns why a proxy cannot have a name.
func checkProxyName(name string) error {
	if registry.Reserved(name) {
		return fmt.Errorf("%q is a path of the query API: use another name, none of %s", name, strings.Join(registry.ReservedNames(), ", "))
	}
	return checkName(name)
}
