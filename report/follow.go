package report

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// Stream follows the events of a running haproxy-zk, as [query.Client] does.
type Stream interface {
	Follow(ctx context.Context, parameters url.Values, f query.Follower) error
}

// Follow writes the events of a selection to a screen as they happen, one a line, until
// ctx is done, which is no error. What is lost and found it says on the side.
func Follow(ctx context.Context, stream Stream, out, side *terminal.Screen, s Selection, f Format) error {
	say := func(style terminal.Style, text string) {
		p := side.Page()
		p.Line(style, "", "haproxy-zk: "+text)
		_ = p.Show() // nobody reads it
	}
	return stream.Follow(ctx, s.values(), query.Follower{
		Event: func(data []byte) error {
			p := out.Page()
			if f == JSON {
				p.Raw(append(data, '\n'))
				return p.Show()
			}
			var e event
			if err := json.Unmarshal(data, &e); err != nil {
				return fmt.Errorf("an event is not what this version of haproxy-zk understands: %w", err)
			}
			p.Line(styleOfKind(e.Kind), "", fmt.Sprintf("%s %s %s %s", at(e.Time, time.Now()), e.Kind, e.where(), e.why()))
			return p.Show()
		},
		Missed: func() { say(terminal.Warning, "some events are no longer kept and are left out here") },
		Lost:   func(err error) { say(terminal.Warning, fmt.Sprintf("connection lost, connecting again: %v", err)) },
		Back:   func() { say(terminal.Good, "connected again") },
	})
}
