package syncer

import (
	"encoding/binary"
	"slices"
	"testing"
)

// operation is the answer to one operation of a transaction.
func operation(kind int32, last byte, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(kind))
	b = append(b, last)
	b = binary.BigEndian.AppendUint32(b, 0)
	return append(b, rest...)
}

func TestAnswerToATransaction(t *testing.T) {
	t.Parallel()
	var (
		deleted = operation(opDelete, 0)
		created = operation(opCreate, 0, appendText(nil, "/a")...)
		failed  = operation(opFailed, 0, 0xff, 0xff, 0xff, 0x9b)
		last    = operation(-1, 1)
	)
	for name, tt := range map[string]struct {
		body  []byte
		valid bool
	}{
		"both":                  {slices.Concat(deleted, created, last), true},
		"failed":                {slices.Concat(failed, failed, last), true},
		"nothing":               {nil, false},
		"no last entry":         {slices.Concat(deleted, created), false},
		"cut":                   {slices.Concat(deleted, created, last[:8]), false},
		"more behind":           {slices.Concat(deleted, created, last, last), false},
		"more operations":       {slices.Concat(deleted, deleted, deleted, last), false},
		"another operation":     {slices.Concat(operation(5, 0, make([]byte, statLength)...), last), false},
		"a path that is longer": {slices.Concat(operation(opCreate, 0, 0, 0, 1, 0, 'x'), last), false},
		"a negative length":     {slices.Concat(operation(opCreate, 0, 0xff, 0xff, 0xff, 0xff), last), false},
		"another byte":          {slices.Concat(operation(opDelete, 2), last), false},
	} {
		if err := validTransaction(tt.body); (err == nil) != tt.valid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
