package decode

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// MaxData is the longest data that is read: ZooKeeper's own limit.
	MaxData = 1 << 20
	// maxNesting bounds the nesting of JSON; real payloads have less than ten levels.
	maxNesting = 64
)

// payload decodes JSON into a struct. The reason says nothing of what it contains.
func payload(data []byte, into any) *Reason {
	switch data = bytes.TrimSpace(data); {
	case len(data) == 0:
		return kindOf(registry.Payload, "the node has no data")
	case len(data) > MaxData:
		return kindOf(registry.Payload, "its data is longer than 1 MB")
	case nestedTooDeep(data):
		return kindOf(registry.Payload, "its JSON is nested too deep")
	}
	if err := json.Unmarshal(data, into); err != nil {
		return kindOf(registry.Payload, "its data is not the JSON that the format has")
	}
	return nil
}

// nestedTooDeep counts brackets outside of strings.
func nestedTooDeep(data []byte) bool {
	depth, inside := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// number is a port or a weight: a JSON number, a string with one, or null. Anything else
// is kept as invalid, so that it makes its own registration unusable only if it is used.
type number struct {
	value float64
	// given is true if there is a value, valid if that is a number.
	given, valid bool
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *number) UnmarshalJSON(text []byte) error {
	*n = number{}
	if string(text) == "null" {
		return nil
	}
	n.given = true
	if len(text) > 1 && text[0] == '"' {
		text = bytes.TrimSpace(text[1 : len(text)-1])
	}
	if len(text) > 32 {
		return nil
	}
	value, err := strconv.ParseFloat(string(text), 64)
	n.value, n.valid = value, err == nil
	return nil
}

// port returns the number as a port; 0 if it is none.
func (n number) port() uint64 {
	if !n.valid || n.value < 1 || n.value > 65535 || n.value != float64(uint64(n.value)) {
		return 0
	}
	return uint64(n.value)
}

// object is a JSON object whose values are read on demand; null, and anything else, is
// empty.
type object map[string]json.RawMessage

// UnmarshalJSON implements [json.Unmarshaler].
func (o *object) UnmarshalJSON(text []byte) error {
	*o = nil
	if len(text) == 0 || text[0] != '{' {
		return nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	*o = m
	return nil
}

// text returns a value as text: a string, or the characters of a number or boolean.
func (o object) text(key string) (string, bool) {
	raw, known := o[key]
	if !known || len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null" {
		return "", false
	}
	var text string
	if raw[0] != '"' {
		return string(raw), true
	}
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", false
	}
	return text, true
}

// port returns a value as a port; 0 if it is none.
func (o object) port(key string) uint64 {
	var n number
	if raw, known := o[key]; known {
		_ = n.UnmarshalJSON(raw) // it never fails
	}
	return n.port()
}
