package syncer

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	pathpkg "path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The modes of a fakeServer.
const (
	serve  = "serve"
	refuse = "refuse" // no connection
	cut    = "cut"    // close it instead of answering the handshake
	mute   = "mute"   // answer nothing any more
	idle   = "idle"   // answer pings and nothing else
	lie    = "lie"    // answer the handshake, then send invalid frames
)

// ZooKeeper's events.
const (
	created         = 1
	deleted         = 2
	dataChanged     = 3
	childrenChanged = 4
)

// What old servers do, see [fakeServer].
const (
	rejects = "rejects"
	ends    = "ends"
)

// fakeServer implements as much of ZooKeeper's protocol as a session needs.
type fakeServer struct {
	mu       sync.Mutex
	mode     string
	children map[string][]string
	data     map[string]string // of a child, by its path
	changed  map[string]int64  // the last change of a path
	zxid     int64
	sessions map[int64]bool
	last     int64 // session
	granted  time.Duration
	lieBytes []byte // what is said in mode lie, a moment after the handshake
	long     string // the children of this path are more than an answer holds
	// owners are the sessions that own nodes, by path; other nodes have none.
	owners map[string]int64
	// old is what the server does about multi-reads that it does not know: it says so and ends
	// the connection, as ZooKeeper 3.4.13 does, or only ends it. Empty means it knows them.
	old string
	// unreadable are paths whose data may not be read.
	unreadable map[string]bool
	// denies are paths that may not be created.
	denies map[string]bool
	// auth is the user who may read, as "USER:PASSWORD"; empty allows everybody.
	auth string
	// refuses is true if all credentials are rejected.
	refuses bool
	// slow delays everything sent after the handshake.
	slow time.Duration

	// asked counts the operations of each kind; marks are the zxids with which watches
	// were set again.
	asked  map[int32]int
	marks  []int64
	dials  []time.Time
	peers  map[*peer]bool
	closed int // sessions closed by their client
}

// peer is one client. Frames sent to it wait until it reads.
type peer struct {
	net.Conn
	watched map[string]bool // paths whose children it watches
	reading map[string]bool // paths whose data it watches
	reads   bool            // it may
	out     chan []byte
}

func newFakeServer() *fakeServer {
	return &fakeServer{
		mode: serve, children: make(map[string][]string), data: make(map[string]string), changed: make(map[string]int64), zxid: 10, granted: 10 * time.Second,
		owners: make(map[string]int64), denies: make(map[string]bool),
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

// drop closes all connections and continues in mode.
func (f *fakeServer) drop(mode string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode = mode
	for p := range f.peers {
		_ = p.Close()
	}
}

// set changes the children of a path and fires its watches.
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

// write changes the data of a child and fires its watches. A silent change fires none.
func (f *fakeServer) write(path, data string, silent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.zxid++
	f.data[path], f.changed[path] = data, f.zxid
	f.fireData(path, dataChanged, silent)
}

// fireData is called with the mutex held.
func (f *fakeServer) fireData(path string, kind uint32, silent bool) {
	for p := range f.peers {
		if p.reading[path] && !silent {
			delete(p.reading, path)
			f.fire(p, path, kind)
		}
	}
}

func (f *fakeServer) fire(p *peer, path string, kind uint32) {
	event := binary.BigEndian.AppendUint32(nil, kind)
	event = binary.BigEndian.AppendUint32(event, 3) // connected
	f.send(p, 0xffffffff, 0, appendText(event, path))
}

// setWatches sets the watches of a request, fires those whose paths have changed since
// its zxid, and returns that zxid.
func (f *fakeServer) setWatches(p *peer, request []byte) (lastSeenZxid int64) {
	lastSeenZxid = int64(binary.BigEndian.Uint64(request))
	request = request[8:]
	for list := range 3 { // on data, on what does not exist, on children
		n := binary.BigEndian.Uint32(request)
		request = request[4:]
		for range n {
			var path string
			path, request = cutText(request)
			_, exists := f.children[path]
			switch {
			case list == 0 && f.changed[path] > lastSeenZxid:
				f.fire(p, path, dataChanged)
			case list == 0:
				p.reading[path] = true
			case list == 1 && exists:
				f.fire(p, path, created)
			case list == 2 && f.changed[path] > lastSeenZxid:
				f.fire(p, path, childrenChanged)
			default:
				p.watched[path] = true
			}
		}
	}
	return lastSeenZxid
}

func (f *fakeServer) handle(c net.Conn) {
	defer c.Close()
	p := &peer{Conn: c, watched: make(map[string]bool), reading: make(map[string]bool), out: make(chan []byte, 100_000)}
	if !f.greet(p) {
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for frame := range p.out {
			var slow time.Duration
			f.lock(func() { slow = f.slow })
			if slow > 0 {
				<-time.After(slow) // the bubble's clock
			}
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
	if f.mode == lie {
		time.AfterFunc(watchLag, func() { f.lie(p) })
	}
	return true
}

func (f *fakeServer) lie(p *peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.peers[p] {
		p.out <- f.lieBytes
	}
}

func (f *fakeServer) reply(p *peer, request []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	xid, operation := binary.BigEndian.Uint32(request), int32(binary.BigEndian.Uint32(request[4:]))
	if f.mode == mute || f.mode == lie || f.mode == idle && operation != opPing {
		return true
	}
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
	case opCreate:
		path, _ := cutText(request[8:])
		f.create(p, xid, path)
	case 3, 12: // exists, getChildren2
		if f.auth != "" && !p.reads {
			f.send(p, xid, -102, nil)
			return true
		}
		length := binary.BigEndian.Uint32(request[8:])
		path, watch := string(request[12:12+length]), request[12+length] != 0
		names, exists := f.children[path]
		parent, name := pathpkg.Split(path)
		exists = exists || slices.Contains(f.children[strings.TrimSuffix(parent, "/")], name)
		switch {
		case path == f.long && operation != 3:
			p.watched[path] = p.watched[path] || watch
			f.send(p, xid, 0, make([]byte, maxAnswer))
		case !exists:
			p.watched[path] = p.watched[path] || watch && operation == 3
			f.send(p, xid, -101, nil)
		case operation == 3:
			binary.BigEndian.PutUint64(stat[44:], uint64(f.owners[path]))
			f.send(p, xid, 0, stat)
		default:
			p.watched[path] = p.watched[path] || watch
			body := binary.BigEndian.AppendUint32(nil, uint32(len(names)))
			for _, name := range names {
				body = appendText(body, name)
			}
			f.send(p, xid, 0, append(body, stat...))
		}
	case opGetData:
		length := binary.BigEndian.Uint32(request[8:])
		path, watch := string(request[12:12+length]), request[12+length] != 0
		parent, name := pathpkg.Split(path)
		switch {
		case f.unreadable[path]:
			f.send(p, xid, -102, nil)
		case !slices.Contains(f.children[strings.TrimSuffix(parent, "/")], name):
			f.send(p, xid, -101, nil)
		default:
			p.reading[path] = p.reading[path] || watch
			f.send(p, xid, 0, append(appendText(nil, f.data[path]), stat...))
		}
	case opMultiRead:
		switch f.old {
		case rejects:
			f.send(p, xid, codeUnimplemented, nil)
			return false
		case ends:
			return false
		}
		f.send(p, xid, 0, f.readMany(request[8:], stat))
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

// readMany answers a multi-read; each of its nodes counts as a read.
func (f *fakeServer) readMany(request, stat []byte) (body []byte) {
	for request[4] == 0 { // not the end
		var path string
		path, request = cutText(request[9:])
		request = request[1:] // a watch, which is not set
		f.asked[opGetData]++
		parent, name := pathpkg.Split(path)
		code := 0
		switch {
		case f.unreadable[path]:
			code = codeNoAuth
		case !slices.Contains(f.children[strings.TrimSuffix(parent, "/")], name):
			code = codeNoNode
		}
		if code != 0 {
			body = append(binary.BigEndian.AppendUint32(body, 1<<32-1), 0)
			body = binary.BigEndian.AppendUint32(body, uint32(int32(code)))
			body = binary.BigEndian.AppendUint32(body, uint32(int32(code)))
			continue
		}
		body = append(binary.BigEndian.AppendUint32(body, opGetData), 0, 0, 0, 0, 0)
		body = append(appendText(body, f.data[path]), stat...)
	}
	return appendEnd(body)
}

// create creates a node, like those created by set.
func (f *fakeServer) create(p *peer, xid uint32, path string) {
	parent := pathpkg.Dir(path)
	_, exists := f.children[path]
	_, above := f.children[parent]
	switch {
	case exists:
		f.send(p, xid, -110, nil)
	case !above && parent != "/":
		f.send(p, xid, -101, nil)
	case f.denies[path]:
		f.send(p, xid, -102, nil)
	default:
		f.zxid++
		f.children[path], f.changed[path] = nil, f.zxid
		for other := range f.peers {
			if other.watched[path] {
				delete(other.watched, path)
				f.fire(other, path, created)
			}
		}
		f.send(p, xid, 0, appendText(nil, path))
	}
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
