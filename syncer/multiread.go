package syncer

import (
	"encoding/binary"

	"github.com/go-zookeeper/zk"
)

// A multi-read reads the data of many nodes by one request, as ZooKeeper can since 3.6.
// Request and answer are operations, each with the header of a transaction: the kind (4), a
// byte that is 1 at the end, and an error (4). See MultiOperationRecord and MultiResponse
// of ZooKeeper.
const (
	opMultiRead = 22
	// maxMultiRead and maxPaths bound the nodes of one request and the length of their
	// paths. The answer is bounded like that about one node: longer ones are read in parts.
	maxMultiRead = 100
	maxPaths     = 128 << 10
)

// reading is what a multi-read says of one node.
type reading struct {
	data []byte
	err  error // of the library
}

// multiRead returns the body of a request for the data of paths.
func multiRead(paths []string) []byte {
	var b []byte
	for _, path := range paths {
		b = append(binary.BigEndian.AppendUint32(b, opGetData), 0)
		b = appendString(binary.BigEndian.AppendUint32(b, 0), path)
		b = append(b, 0) // no watch: the server would not set it
	}
	return appendEnd(b)
}

func appendEnd(b []byte) []byte {
	b = append(binary.BigEndian.AppendUint32(b, 1<<32-1), 1)
	return binary.BigEndian.AppendUint32(b, 1<<32-1)
}

func appendString(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

// watchRequest returns the body of a request that sets watches on the data of paths, and
// makes those fire of which the data has changed since a zxid.
func watchRequest(zxid int64, paths []string) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(zxid))
	b = binary.BigEndian.AppendUint32(b, uint32(len(paths)))
	for _, path := range paths {
		b = appendString(b, path)
	}
	return binary.BigEndian.AppendUint64(b, 0) // on nothing else: two empty lists
}

// parseReadings reads the answer to a multi-read of n nodes. The data is part of b.
func parseReadings(b body, n int) ([]reading, error) {
	all := make([]reading, 0, n)
	for {
		kind, ok := b.number()
		if !ok || len(b) < 1+4 {
			return nil, faultf("a multi-read ends within a node")
		}
		last := b[0]
		b = b[1+4:]
		switch {
		case last == 1 && len(b) == 0 && len(all) == n:
			return all, nil
		case last != 0 || len(all) == n:
			return nil, faultf("%d of %d nodes of a multi-read, and %d bytes", len(all), n, len(b))
		}
		var r reading
		switch int32(kind) {
		case opFailed:
			code, whole := b.number()
			if ok = whole && int32(code) < 0; ok {
				r.err = readError(int32(code))
			}
		case opGetData:
			r.data, ok = b.data()
		default:
			ok = false
		}
		if !ok {
			return nil, faultf("node %d of a multi-read, kind %d", len(all), int32(kind))
		}
		all = append(all, r)
	}
}

// readError returns the library's error of a code.
func readError(code int32) error {
	switch code {
	case codeNoNode:
		return zk.ErrNoNode
	case codeNoAuth:
		return zk.ErrNoAuth
	}
	return zk.ErrUnknown
}
