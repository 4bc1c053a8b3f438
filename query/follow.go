package query

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

const (
	// A stream in which nothing arrives for deafAfter, not even a comment, is broken.
	deafAfter = 3 * keepAlive
	// Pauses before connecting again.
	followAgain, followLongest = time.Second, 15 * time.Second
	// maxEventLine is more than the longest event.
	maxEventLine = 64 << 10
)

// Follower says what a followed stream has. Its functions are called one after another.
type Follower struct {
	// Event is called with the data of each event, which is only valid during the call. An
	// error ends the stream.
	Event func(data []byte) error
	// Missed is called when events are no longer kept that this client has not got.
	Missed func()
	// Lost is called when the connection is lost, before connecting again, once until the
	// next connection.
	Lost func(err error)
	// Back is called when a lost connection is back.
	Back func()
}

// Follow calls f with the events that parameters of /events select, from now on or from
// `since` on, until ctx is done, which is no error. When the connection is lost or the
// server restarts, it connects again and continues where it was. Its error is that of
// [Follower.Event], of the first connection, or of a request that the server refuses.
func (c Client) Follow(ctx context.Context, parameters url.Values, f Follower) error {
	pauses := retry.Backoff(followAgain, followLongest)
	last, lost, ever := "", false, false
	for {
		begun := time.Now()
		err := c.stream(ctx, parameters, &last, f, func() {
			ever = true
			pauses.Reset()
			if lost {
				lost = false
				f.Back()
			}
		})
		var fatal *fatalError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &fatal):
			return fatal.err
		case !ever:
			return err
		}
		if last == "" && parameters.Get("since") == "" {
			// Otherwise what happens while there is no connection would be left out.
			parameters.Set("since", begun.UTC().Format(time.RFC3339))
		}
		if !lost {
			lost = true
			f.Lost(err)
		}
		timer := time.NewTimer(pauses.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// fatalError is an error after which there is no point in connecting again.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }

// stream follows one stream to its end.
func (c Client) stream(ctx context.Context, parameters url.Values, last *string, f Follower, connected func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	deaf := time.AfterFunc(deafAfter, func() { cancel(errors.New("nothing arrives any more")) })
	defer deaf.Stop()
	header := http.Header{"Accept": {typeStream}}
	if *last != "" {
		header.Set("Last-Event-ID", *last)
	}
	response, err := c.do(ctx, "/events?"+parameters.Encode(), header)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, maxEventLine))
		err := fmt.Errorf("%s: /events is %w", c.addr, Answer{Code: response.StatusCode, Body: body}.Refusal())
		if response.StatusCode/100 == 4 {
			return &fatalError{err}
		}
		return err
	}
	connected()
	err = readEvents(response.Body, last, f, func() { deaf.Reset(deafAfter) })
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// readEvents reads server-sent events until their end, which is an error. heard is called
// with each line.
func readEvents(from io.Reader, last *string, f Follower, heard func()) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 4096), maxEventLine)
	var data []byte
	id, kind := *last, ""
	for lines.Scan() {
		heard()
		line := lines.Bytes()
		field, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case len(line) == 0:
			*last = id
			switch {
			case kind == "missed":
				f.Missed()
			case kind == "" && len(data) > 0:
				if err := f.Event(data); err != nil {
					return &fatalError{err}
				}
			}
			data, kind = data[:0], ""
		case field == "id" && strings.Trim(value, "0123456789") == "":
			id = value
		case field == "event":
			kind = value
		case field == "data":
			if len(data)+len(value) > maxEventLine {
				return errors.New("an event is too long")
			}
			data = append(data, value...)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
