package hactl

import "context"

// ParseDroppedLogs reads from `show info` how many lines of its log a process
// could not send since it was started: `DroppedLogs: 12`.
func ParseDroppedLogs(text string) (int, error) { return parseInfo(text, "DroppedLogs") }

// countDroppedLogs counts what the workers dropped since they were asked last.
func (c *Controller) countDroppedLogs(ctx context.Context) {
	errs := c.each(func(w *worker) error {
		if w.stale {
			return errFailing // it would only be waited for once more
		}
		replies, err := w.ask(ctx, "show info")
		if err != nil {
			return err
		}
		dropped, err := ParseDroppedLogs(replies[0])
		if err != nil {
			return err
		}
		c.Metrics.droppedLogs.WithLabelValues(c.Proxy).Add(float64(max(0, dropped-w.droppedLogs)))
		w.droppedLogs = dropped
		return nil
	})
	for i, w := range c.workers {
		if errs[i] != nil {
			c.Logger.Debug("cannot count the lines of its log that a worker dropped", "pid", w.pid, "error", errs[i])
		}
	}
}
