package rig

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// object is a JSON object that keeps the order of its members, unlike a map.
type object []member

type member struct {
	key   string
	value any
}

// set adds a member unless the value is its type's zero value.
func (o *object) set(key string, value any) {
	if v := reflect.ValueOf(value); v.IsValid() && !v.IsZero() {
		*o = append(*o, member{key, value})
	}
}

// merge adds the members of more, in the order of their keys, replacing existing ones.
func (o *object) merge(more map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(more)) {
		*o = slices.DeleteFunc(*o, func(m member) bool { return m.key == key })
		*o = append(*o, member{key, more[key]})
	}
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
