package syncer

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// What a fakeServer does with a connection.
const (
	serve  = "serve"
	refuse = "refuse" // no connection
	cut    = "cut"    // close it instead of answering the handshake
	mute   = "mute"   // answer nothing any more
)

// Events of ZooKeeper.
const (
	created         = 1
	childrenChanged = 4
)

// fakeServer speaks as much of ZooKeeper's protocol as a session needs.
type fakeServer struct {
	mu       sync.Mutex
	mode     string
	children map[string][]string
	changed  map[string]int64 // the last change of a path
	zxid     int64
	sessions map[int64]bool
	last     int64 // session
	granted  time.Duration
	long     string // the children of this path are more than an answer holds
	// auth is who may read, as "USER:PASSWORD"; empty is everybody.
	auth string
	// refuses is true when no credentials are taken.
	refuses bool

	// asked counts the operations of each kind, marks are those of the watches
	// that were set again.
	asked  map[int32]int
	marks  []int64
	dials  []time.Time
	peers  map[*peer]bool
	closed int // sessions closed by their client
}

// peer is one client. What is sent to it waits until it reads.
type peer struct {
	net.Conn
	watched map[string]bool // paths whose children it watches
	reads   bool            // it may
	out     chan []byte
}

func newFakeServer() *fakeServer {
	return &fakeServer{
		mode: serve, children: make(map[string][]string), changed: make(map[string]int64), zxid: 10, granted: 10 * time.Second,
		sessions: make(map[int64]bool), peers: make(map[*peer]bool), asked: make(map[int32]int),
	}
}

func (f *fakeServer) lock(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// connect is a connectFunc.
func (f *fakeServer) connect(context.Context, string, string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials = append(f.dials, time.Now())
	if f.mode == refuse {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	near, far := net.Pipe()
	go f.handle(far)
	return near, nil
}

// drop closes all connections and goes on in mode.
func (f *fakeServer) drop(mode string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode = mode
	for p := range f.peers {
		_ = p.Close()
	}
}

// set changes the children of a path and tells those that watch it.
func (f *fakeServer) set(path string, names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.zxid++
	kind := uint32(childrenChanged)
	if _, exists := f.children[path]; !exists {
		kind = created
	}
	f.children[path], f.changed[path] = names, f.zxid
	for p := range f.peers {
		if p.watched[path] {
			delete(p.watched, path)
			f.fire(p, path, kind)
		}
	}
}

func (f *fakeServer) fire(p *peer, path string, kind uint32) {
	event := binary.BigEndian.AppendUint32(nil, kind)
	event = binary.BigEndian.AppendUint32(event, 3) // connected
	f.send(p, 0xffffffff, 0, appendText(event, path))
}

// setWatches sets the watches of a request, fires those whose paths have changed
// since its mark, and returns that.
func (f *fakeServer) setWatches(p *peer, request []byte) (mark int64) {
	mark = int64(binary.BigEndian.Uint64(request))
	request = request[8:]
	for list := range 3 { // on data, on what does not exist, on children
		n := binary.BigEndian.Uint32(request)
		request = request[4:]
		for range n {
			var path string
			path, request = cutText(request)
			_, exists := f.children[path]
			switch {
			case list == 1 && exists:
				f.fire(p, path, created)
			case list == 2 && f.changed[path] > mark:
				f.fire(p, path, childrenChanged)
			default:
				p.watched[path] = true
			}
		}
	}
	return mark
}

func (f *fakeServer) handle(c net.Conn) {
	defer c.Close()
	p := &peer{Conn: c, watched: make(map[string]bool), out: make(chan []byte, 1000)}
	if !f.greet(p) {
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for frame := range p.out {
			_, _ = p.Write(frame)
		}
	}()
	for request, err := readFrame(c); err == nil && f.reply(p, request); {
		request, err = readFrame(c)
	}
	f.lock(func() {
		delete(f.peers, p)
		close(p.out)
	})
	<-sent
}

// greet answers the handshake.
func (f *fakeServer) greet(p *peer) bool {
	request, err := readFrame(p)
	if err != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := int64(binary.BigEndian.Uint64(request[4:]))
	session := int64(binary.BigEndian.Uint64(request[16:]))
	if f.mode == cut || seen > f.zxid {
		return false
	}
	f.peers[p] = true
	switch {
	case f.mode == mute:
		return true
	case session == 0:
		f.last++
		session = f.last
		f.sessions[session] = true
	case !f.sessions[session]:
		session = 0
	}
	p.out <- answerBytes(session, f.granted)
	return true
}

func (f *fakeServer) reply(p *peer, request []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mode == mute {
		return true
	}
	xid, operation := binary.BigEndian.Uint32(request), int32(binary.BigEndian.Uint32(request[4:]))
	stat := make([]byte, 68)
	f.asked[operation]++
	switch operation {
	case opAuth:
		if f.refuses {
			f.send(p, xid, -115, nil)
			return false
		}
		scheme, rest := cutText(request[12:])
		credentials, _ := cutText(rest)
		p.reads = scheme == "digest" && credentials == f.auth
		f.send(p, xid, 0, nil)
	case 3, 12: // exists, getChildren2
		if f.auth != "" && !p.reads {
			f.send(p, xid, -102, nil)
			return true
		}
		length := binary.BigEndian.Uint32(request[8:])
		path, watch := string(request[12:12+length]), request[12+length] != 0
		names, exists := f.children[path]
		switch {
		case path == f.long && operation != 3:
			p.watched[path] = p.watched[path] || watch
			f.send(p, xid, 0, make([]byte, maxAnswer))
		case !exists:
			p.watched[path] = p.watched[path] || watch && operation == 3
			f.send(p, xid, -101, nil)
		case operation == 3:
			f.send(p, xid, 0, stat)
		default:
			p.watched[path] = p.watched[path] || watch
			body := binary.BigEndian.AppendUint32(nil, uint32(len(names)))
			for _, name := range names {
				body = appendText(body, name)
			}
			f.send(p, xid, 0, append(body, stat...))
		}
	case opSetWatches:
		f.marks = append(f.marks, f.setWatches(p, request[8:]))
		f.send(p, xid, 0, nil)
	case -11: // close
		f.closed++
		f.send(p, xid, 0, nil)
		return false
	default:
		f.send(p, xid, 0, nil)
	}
	return true
}

// send queues the answer to a request.
func (f *fakeServer) send(p *peer, xid uint32, code int32, body []byte) {
	frame := binary.BigEndian.AppendUint32(nil, uint32(16+len(body)))
	frame = binary.BigEndian.AppendUint32(frame, xid)
	frame = binary.BigEndian.AppendUint64(frame, uint64(f.zxid))
	frame = binary.BigEndian.AppendUint32(frame, uint32(code))
	p.out <- slices.Concat(frame, body)
}

func appendText(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

func cutText(b []byte) (text string, rest []byte) {
	end := 4 + binary.BigEndian.Uint32(b)
	return string(b[4:end]), b[end:]
}

func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(head))
	_, err := io.ReadFull(r, frame)
	return frame, err
}
