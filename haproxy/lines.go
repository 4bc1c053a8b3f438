package haproxy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var (
	errNoLine      = errors.New("the line is empty or a comment: remove it")
	errConditional = errors.New("conditional blocks (.if and others) span lines of the whole file: put them into the template")
	errTemplate    = errors.New("the servers are rendered from the key server-template: set that key instead")
	errDisabled    = errors.New("it takes the whole group out of service permanently: remove it, or remove the group")
	errState       = errors.New("HAProxy would restore the port of a free slot without its address: remove it, the state is in the rendered servers")
)

// CheckLine returns why a line cannot be one of the group's own, with the remedy, or nil
// if HAProxy has to decide.
func CheckLine(b Backend, line string) error {
	words := splitWords(line)
	switch {
	case len(words) == 0:
		return errNoLine
	case strings.HasPrefix(words[0], "."):
		return errConditional
	case OpensSection(words[0]):
		return fmt.Errorf("%q opens another section, but these lines belong to the group's backend: put the section into the template", words[0])
	}
	switch words[0] {
	case "mode", "balance":
		return fmt.Errorf("%q contradicts what is rendered: set the key %s instead", words[0], words[0])
	case "server-template":
		return errTemplate
	case "disabled", "enabled":
		return errDisabled
	case "load-server-state-from-file", "server-state-file-name":
		return errState
	case "server":
		if len(words) > 1 && b.Servers.names(words[1]) {
			return fmt.Errorf("the server %s would have the name of a slot: give it a name that does not begin with %q and a number", words[1], b.Servers.Prefix)
		}
	case "option", "no":
		return checkOption(b, words)
	}
	return nil
}

func checkOption(b Backend, words []string) error {
	if words[0] == "no" {
		words = words[1:]
	}
	if len(words) < 2 || words[0] != "option" {
		return nil
	}
	switch {
	case words[1] == "http-server-close":
		return errors.New("option http-server-close contradicts what is rendered: set the key server_close instead")
	case b.HTTPCheck != "" && strings.HasSuffix(words[1], "-check") || b.HTTPCheck != "" && words[1] == "httpchk":
		return fmt.Errorf("option %s contradicts the key httpchk, since a backend has one kind of health check: remove one of them", words[1])
	}
	return nil
}

// names reports whether a server name is that of a slot. Slots may exceed the range.
func (t ServerTemplate) names(server string) bool {
	n, isSlot := strings.CutPrefix(server, t.Prefix)
	_, err := strconv.Atoi(n)
	return isSlot && err == nil
}
