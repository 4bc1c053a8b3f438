package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// launch starts HAProxy in the background and returns its processes, which listen then.
func launch(ctx context.Context, haproxy, file, pidFile string) (pids []int, err error) {
	if output, err := exec.CommandContext(ctx, haproxy, "-D", "-f", file, "-p", pidFile).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("start HAProxy with %s: %w: %s", file, err, output)
	}
	return readPIDs(pidFile)
}

func readPIDs(file string) (pids []int, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for word := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// terminate asks processes to end. It does not wait for them.
func terminate(pids []int) (err error) {
	for _, pid := range pids {
		err = errors.Join(err, unix.Kill(pid, unix.SIGTERM))
	}
	return err
}
