package ui

import (
	"embed"
	"encoding/json"
	"strconv"
	"strings"
)

// Lang is a language of the page.
type Lang string

// The languages.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// tag is the language as HTML names it.
func (l Lang) tag() string {
	if l == Chinese {
		return "zh-CN"
	}
	return "en"
}

// Prefer returns the language of the page that a client prefers, by the values of
// Accept-Language.
func Prefer(values []string) Lang {
	best, weight := English, 0.0
	for _, list := range values {
		for item := range strings.SplitSeq(list, ",") {
			name, parameter, weighted := strings.Cut(item, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			name, _, _ = strings.Cut(name, "-")
			if l := Lang(name); l == English || l == Chinese {
				if w := quality(parameter, weighted); w > weight {
					best, weight = l, w
				}
			}
		}
	}
	return best
}

// quality returns a weight such as q=0.5; 0 if it is malformed.
func quality(parameter string, given bool) float64 {
	if !given {
		return 1
	}
	name, number, _ := strings.Cut(strings.TrimSpace(parameter), "=")
	w, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err == nil && strings.EqualFold(strings.TrimSpace(name), "q") && w >= 0 && w <= 1 {
		return w
	}
	return 0
}

//go:embed words
var wordFiles embed.FS

// readWords returns the words of a language by their keys.
func readWords(l Lang) (map[string]string, error) {
	text, err := wordFiles.ReadFile("words/" + string(l) + ".json")
	if err != nil {
		return nil, err
	}
	var words map[string]string
	return words, json.Unmarshal(text, &words)
}
