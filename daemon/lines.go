package daemon

import (
	"context"
	"log/slog"

	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// haproxyLines receives HAProxy's log. Its methods belong to one goroutine at a time.
type haproxyLines struct {
	log     *slog.Logger
	foreign func()                        // counts lines that are not HAProxy's
	take    func(supervisor.LogLine) bool // see [supervisor.LogSocket]
	cancel  context.CancelFunc            // nil while it does not listen
	ended   chan error
	uid     int // user of the workers
}

// listen listens at path for the workers of a user, unless path is empty or it already
// listens there.
func (h *haproxyLines) listen(path string, uid int) error {
	if path == "" || h.cancel != nil && h.uid == uid {
		return nil
	}
	h.close()
	h.uid = uid
	socket, err := supervisor.ListenLog(path, uid, h.foreign, h.log)
	if err != nil {
		return err
	}
	socket.Take = h.take
	var ctx context.Context
	ctx, h.cancel = context.WithCancel(context.Background())
	h.ended = make(chan error, 1)
	go func() { h.ended <- socket.Run(ctx) }()
	return nil
}

// close stops listening. Call it after HAProxy has ended: its last lines matter as
// well.
func (h *haproxyLines) close() {
	if h.cancel == nil {
		return
	}
	h.cancel()
	h.cancel = nil
	if err := <-h.ended; err != nil {
		h.log.Warn("HAProxy's log was not read completely", "error", err)
	}
}
