package config

import "strings"

// nearest returns the word of known that name was probably meant to be.
func nearest(name string, known []string) (word string, ok bool) {
	best := 1 + len(name)/4
	for _, candidate := range known {
		// Nobody mistypes a word into one of another size.
		if len(name)-len(candidate) > best || len(candidate)-len(name) > best {
			continue
		}
		if d := distance(strings.ToLower(name), candidate); d <= best && d < len(candidate) {
			word, ok, best = candidate, true, d-1
		}
	}
	return word, ok
}

// distance is Levenshtein's: how many bytes to insert, remove or replace.
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
