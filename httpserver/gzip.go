package httpserver

import (
	"strconv"
	"strings"
)

// AcceptsGzip reports whether the values of Accept-Encoding allow gzip and does not prefer the plain
// text. A coding with a malformed weight is ignored.
func AcceptsGzip(values []string) bool {
	gzip, identity, others := -1.0, 0.0, -1.0
	for _, list := range values {
		for item := range strings.SplitSeq(list, ",") {
			coding, parameter, weighted := strings.Cut(item, ";")
			weight := 1.0
			if weighted {
				var ok bool
				if weight, ok = parseWeight(parameter); !ok {
					continue
				}
			}
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip", "x-gzip":
				gzip = weight
			case "identity":
				identity = weight
			case "*":
				others = weight
			}
		}
	}
	if gzip < 0 {
		gzip = others
	}
	return gzip > 0 && gzip >= identity
}

// parseWeight parses a weight such as q=0.5, of 0 to 1.
func parseWeight(text string) (weight float64, ok bool) {
	name, number, _ := strings.Cut(strings.TrimSpace(text), "=")
	if !strings.EqualFold(name, "q") || len(number) > len("0.000") || strings.Trim(number, "0123456789.") != "" {
		return 0, false
	}
	weight, err := strconv.ParseFloat(number, 64)
	return weight, err == nil && weight <= 1
}
