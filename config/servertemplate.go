package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

var (
	// HAProxy reads a range of one number N as 1-N.
	slotRange = regexp.MustCompile(`^(?:([0-9]+)-)?([0-9]+)$`)

	// HAProxy allows a colon in a server's name, but not in the prefix of a server-template.
	prefixForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

	errTooShort = errors.New("a prefix, a range and an address are needed")
)

// serverTemplate is the form of a group's server-template. Its value keeps the predefined
// placeholders.
func serverTemplate(group string, maxServer int) form[string] {
	return form[string]{
		give: "PREFIX RANGE ADDRESS OPTIONS, as in ${group_name} 1-${max_server} ${ip_port} check disabled",
		ours: []string{"group_name", "min_server", "max_server", "ip_port"},
		parse: func(text string) (string, error) {
			fields := strings.Fields(text)
			if len(fields) < 3 {
				return "", errTooShort
			}
			var wrong []string
			if !isPrefix(fields[0], group) {
				hint := ""
				if strings.Contains(fields[0]+group, ":") {
					hint = " (HAProxy takes no colon there)"
				}
				wrong = append(wrong, fmt.Sprintf("%q cannot be the prefix of servers' names%s", fields[0], hint))
			}
			if !isRange(fields[1], maxServer) {
				wrong = append(wrong, fmt.Sprintf("%q is not a range N or A-B within 1-%d", fields[1], haproxy.MaxSlots))
			}
			if fields[2] != "${ip_port}" && !isHostPort(fields[2], 0) {
				wrong = append(wrong, fmt.Sprintf("%q is neither ${ip_port} nor an address with a port", fields[2]))
			}
			if len(wrong) > 0 {
				return "", errors.New(strings.Join(wrong, ", "))
			}
			return text, nil
		},
	}
}

func isPrefix(prefix, group string) bool {
	if group == anyGroup {
		group = "group"
	}
	// A group whose own name is wrong is reported there.
	return checkName(group) != nil || prefixForm.MatchString(strings.ReplaceAll(prefix, "${group_name}", group))
}

func isRange(text string, maxServer int) bool {
	numbers := strings.NewReplacer("${min_server}", "1", "${max_server}", strconv.Itoa(max(1, maxServer))).Replace(text)
	match := slotRange.FindStringSubmatch(numbers)
	if match == nil {
		return false
	}
	if match[1] == "" {
		match[1] = "1"
	}
	first, errFirst := strconv.Atoi(match[1])
	last, errLast := strconv.Atoi(match[2])
	return errFirst == nil && errLast == nil && 1 <= first && first <= last && last <= haproxy.MaxSlots
}
