package supervisor

import "log/slog"

// Running returns the pids of the HAProxy processes started with these files by any
// daemon, including draining ones.
func Running(log *slog.Logger, confFile, pidFile string) []int {
	h := &HAProxy{Options: Options{ConfFile: confFile, PIDFile: pidFile, Logger: log}}
	return h.earlierPIDs()
}
