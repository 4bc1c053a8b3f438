package rig

import "encoding/binary"

// Lie makes the wire answer instead of the server, until Forward: after the handshake,
// a client gets what lie returns for each of its requests, and nothing from the server.
// Open connections are closed.
func (w *Wire) Lie(lie func(number uint32, operation int32) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lie = lie
	w.closePassages()
}

// lying returns the answer, and whether the wire lies on this passage.
func (w *Wire) lying(p *passage, number uint32, operation int32) (reply []byte, lies bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lie == nil {
		return nil, false
	}
	p.lies.Store(true)
	return w.lie(number, operation), true
}

// Answer builds ZooKeeper's answer to a request: length (4), number (4), last change
// (8), error (4), and the body.
func Answer(number uint32, body []byte) []byte {
	reply := binary.BigEndian.AppendUint32(nil, uint32(16+len(body)))
	reply = binary.BigEndian.AppendUint32(reply, number)
	reply = append(reply, make([]byte, 8+4)...)
	return append(reply, body...)
}
