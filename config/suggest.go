package config

import "strings"

// Nearest returns the known word, in lower case, for which name is probably a typing error.
func Nearest(name string, known []string) (word string, ok bool) {
	best := 1 + len(name)/4
	for _, candidate := range known {
		// Typing errors hardly change the length.
		if len(name)-len(candidate) > best || len(candidate)-len(name) > best {
			continue
		}
		if d := distance(strings.ToLower(name), candidate); d <= best && d < len(candidate) {
			word, ok, best = candidate, true, d-1
		}
	}
	return word, ok
}

// distance returns the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
