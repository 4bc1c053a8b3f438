package config

import (
	"cmp"
	"fmt"
	"slices"
)

// claim is a key that claims something for itself.
type claim struct {
	// what is claimed, as in "port 8080".
	what string
	by   value
	// advice completes the message for the second claim.
	advice string
	// reads is true if it can be shared with other claims that only read.
	reads bool
	// harmless makes a conflict a warning.
	harmless bool
}

func (l *loader) claim(c claim) { l.claims = append(l.claims, c) }

// settle reports everything that is claimed twice, at the second claim.
func (l *loader) settle() {
	slices.SortStableFunc(l.claims, func(a, b claim) int { return cmp.Compare(a.by.at, b.by.at) })
	owners := make(map[string]claim)
	for _, c := range l.claims {
		owner, taken := owners[c.what]
		if !taken {
			owners[c.what] = c
			continue
		}
		if c.reads && owner.reads {
			continue
		}
		reportf := l.errorf
		if c.harmless {
			reportf = l.warnf
		}
		reportf(c.by.at, c.by.key, "%s%s is already claimed by %s%s%s: %s",
			c.what, byDefault(c.by), owner.by.key, byDefault(owner.by), l.inLine(owner.by), c.advice)
	}
}

func (l *loader) inLine(v value) string {
	if l.lineless {
		return ""
	}
	return fmt.Sprintf(", line %d", l.line(v.at))
}

func byDefault(v value) string {
	if v.isDefault {
		return " (the default)"
	}
	return ""
}
