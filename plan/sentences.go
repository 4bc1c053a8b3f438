package plan

import "strings"

// Sentences splits an error that joins others, such as that of [New]. It returns each
// of them with the text that was prepended to it.
func Sentences(err error) []string {
	if joined, isJoin := any(err).(interface{ Unwrap() []error }); isJoin {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, Sentences(e)...)
		}
		return all
	}
	wrapped, isWrap := any(err).(interface{ Unwrap() error })
	if !isWrap {
		return []string{err.Error()}
	}
	inner := wrapped.Unwrap()
	prefix, ends := "", false
	if inner != nil {
		prefix, ends = strings.CutSuffix(err.Error(), inner.Error())
	}
	if !ends {
		return []string{err.Error()}
	}
	all := Sentences(inner)
	for i := range all {
		all[i] = prefix + all[i]
	}
	return all
}
