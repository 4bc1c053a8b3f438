// Command fakehaproxy behaves like HAProxy in daemon mode, as far as a supervisor can see.
// The supervisor's tests start it more than a thousand times, without the race detector,
// which makes a start take several times as long. The words of its configuration select
// its behavior:
//
//	workers N     number of workers left behind (default 1)
//	refuse        -c and the launcher fail
//	map TEXT      -c and the launcher fail unless the file of the map has this text
//	bind-fails    the launcher fails
//	no-pids       the launcher does not write the pid file
//	wrong-pids    the launcher also writes its parent's pid
//	no-room       the launcher's writes to the pid file are lost
//	little-room   only two bytes of each pid are written
//	late-room     the first pid is lost
//	fork-fails    the launcher fails after its first worker
//	hang          the launcher does not exit
//	hang-at N     the launcher hangs once it has forked N workers, of which the last
//	              one is in no pid file
//	behind        the launcher is started by a script: it begins when the script is
//	              killed, and keeps running
//	die-at-once   the workers fail when the launcher exits
//	closed        the workers do not hand over their listeners
//	silent        the workers do not answer
//	half-silent   only the first worker answers
//	busy          the workers have connections after SIGUSR1, until SIGUSR2
//	deaf          the workers ignore SIGUSR1
//	stubborn      the workers ignore SIGUSR1 and SIGTERM
//
// In the directory of the configuration it appends its arguments to the file calls, and
// the signals that workers receive to the file signals. A worker answers as long as the
// file PID.sock exists, which it creates.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// workerVariable distinguishes a worker of the fake HAProxy from its launcher, which has
// the same arguments, as with the real one.
const workerVariable = "FAKE_HAPROXY_WORKER_NUMBER"

// behindVariable distinguishes the launcher that a script has started from the script.
const behindVariable = "FAKE_HAPROXY_BEHIND"

func main() {
	// Bounds the life of processes left behind by a killed test.
	time.AfterFunc(3*time.Minute, func() { os.Exit(9) })
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	flags := flag.NewFlagSet("haproxy", flag.ExitOnError)
	check := flags.Bool("c", false, "")
	_ = flags.Bool("D", false, "")
	file := flags.String("f", "", "")
	pidFile := flags.String("p", "", "")
	from := flags.String("x", "", "")
	old := flags.String("sf", "", "")
	_ = flags.Parse(args)
	text, err := os.ReadFile(*file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	f := fake{dir: filepath.Dir(*file), pidFile: *pidFile, words: strings.Fields(string(text))}
	if n := os.Getenv(workerVariable); n != "" {
		return f.work(n)
	}
	if os.Getenv(behindVariable) != "" {
		return f.launchBehind()
	}
	f.note("calls", strings.Join(args, " "))
	if *check {
		return f.check()
	}
	if *from != "" {
		if !takesListeners(*from) {
			fmt.Fprintln(os.Stderr, "[ALERT] Failed to get the sockets from the old process!")
			return 1
		}
	}
	code := f.launch()
	for _, pid := range append([]string{*old}, flags.Args()...) {
		if n, err := strconv.Atoi(pid); err == nil {
			_ = unix.Kill(n, unix.SIGUSR1)
		}
	}
	return code
}

// takesListeners reports whether the listeners are handed over at path: the file of a
// worker, or a unix socket where a [fakeListeners] gives.
func takesListeners(path string) bool {
	if info, err := os.Stat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return false
		}
		defer conn.Close()
		reply, err := io.ReadAll(conn)
		return err == nil && string(reply) == "given"
	}
	content, err := os.ReadFile(path)
	return err == nil && len(content) == 0
}

type fake struct {
	dir     string
	pidFile string
	words   []string
}

func (f fake) says(word string) bool { return slices.Contains(f.words, word) }

func (f fake) note(file, line string) {
	w, err := os.OpenFile(filepath.Join(f.dir, file), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = w.WriteString(line + "\n")
		w.Close()
	}
	if err != nil {
		panic(err)
	}
}

func (f fake) check() int {
	if i := slices.Index(f.words, "map"); i >= 0 {
		if text, err := os.ReadFile(filepath.Join(f.dir, "haproxy.cfg.path.map")); err != nil || string(text) != f.words[i+1] {
			fmt.Fprintln(os.Stderr, "[ALERT] config : failed to open pattern file")
			return 1
		}
	}
	if f.says("refuse") {
		fmt.Fprintln(os.Stderr, "[ALERT] config : parsing [haproxy.cfg:1] : unknown keyword 'refuse'")
		return 1
	}
	return 0
}

func (f fake) launch() int {
	if code := f.check(); code != 0 {
		return code
	}
	if f.says("bind-fails") {
		fmt.Fprintln(os.Stderr, "[ALERT] Starting frontend fe: cannot bind socket")
		return 1
	}
	if f.says("no-pids") {
		return 0
	}
	if f.says("behind") && os.Getenv(behindVariable) == "" {
		f.startBehind()
	}
	workers := 1
	if i := slices.Index(f.words, "workers"); i >= 0 {
		workers, _ = strconv.Atoi(f.words[i+1])
	}
	_ = os.Remove(f.pidFile)
	pids, err := os.OpenFile(f.pidFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	alive, held, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	defer held.Close()
	for i := range workers {
		ready, begun, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		null, err := os.Open(os.DevNull)
		if err != nil {
			panic(err)
		}
		worker, err := os.StartProcess(os.Args[0], os.Args, &os.ProcAttr{
			Env:   append(os.Environ(), fmt.Sprintf("%s=%d", workerVariable, 1+i)),
			Files: []*os.File{null, null, null, begun, alive},
			Sys:   &syscall.SysProcAttr{Setsid: true},
		})
		if err != nil {
			panic(err)
		}
		hangs := f.says("hang-at") && f.words[slices.Index(f.words, "hang-at")+1] == strconv.Itoa(i+1)
		if !hangs {
			f.write(pids, i, worker.Pid)
		}
		begun.Close()
		_, _ = io.Copy(io.Discard, ready)
		if hangs {
			f.note("hangs", "")
			select {}
		}
		if f.says("fork-fails") {
			fmt.Fprintln(os.Stderr, "[ALERT] [haproxy.main()] Cannot fork.")
			return 1
		}
	}
	if f.says("wrong-pids") {
		fmt.Fprintln(pids, os.Getppid())
	}
	if f.says("hang") {
		select {}
	}
	return 0
}

// startBehind starts the real launcher and waits for it, as a shell does.
func (f fake) startBehind() {
	alive, held, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		panic(err)
	}
	_, err = os.StartProcess(os.Args[0], os.Args, &os.ProcAttr{
		Env:   append(os.Environ(), behindVariable+"=1"),
		Files: []*os.File{null, null, null, alive},
	})
	if err != nil {
		panic(err)
	}
	f.note("hangs", "")
	runtime.KeepAlive(held)
	select {}
}

// launchBehind launches once the script has been killed. Like HAProxy, it ignores
// signals before its poll loop.
func (f fake) launchBehind() int {
	signal.Ignore(unix.SIGUSR1, unix.SIGTERM)
	_, _ = io.Copy(io.Discard, os.NewFile(3, "script"))
	return f.launch()
}

// write writes a pid as HAProxy does, which ignores errors.
func (f fake) write(pids io.Writer, i, pid int) {
	line := fmt.Sprintln(pid)
	switch {
	case f.says("no-room"), f.says("late-room") && i == 0:
		line = ""
	case f.says("little-room"):
		line = line[:2]
	}
	_, _ = io.WriteString(pids, line)
}

func (f fake) work(number string) int {
	begun, launcher := os.NewFile(3, "begun"), os.NewFile(4, "launcher")
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM)
	pid := os.Getpid()
	silent := f.says("silent") || f.says("half-silent") && number != "1"
	if !silent && !f.says("die-at-once") {
		var content []byte
		if f.says("closed") {
			content = []byte("closed")
		}
		socket := filepath.Join(f.dir, strconv.Itoa(pid)+".sock")
		if err := os.WriteFile(socket, content, 0o600); err != nil {
			panic(err)
		}
	}
	begun.Close()
	if f.says("die-at-once") {
		_, _ = io.Copy(io.Discard, launcher)
		return 1
	}
	leaving := false
	for sig := range signals {
		f.note("signals", fmt.Sprintf("%d %s", pid, unix.SignalName(sig.(syscall.Signal))))
		switch {
		case sig == unix.SIGUSR2 && leaving:
			return 0
		case sig == unix.SIGUSR2 || f.says("stubborn"):
		case sig == unix.SIGUSR1 && f.says("busy"):
			leaving = true
		case sig == unix.SIGUSR1 && !f.says("deaf"):
			return 0
		case sig == unix.SIGTERM:
			signal.Reset(unix.SIGTERM)
			_ = unix.Kill(pid, unix.SIGTERM)
			select {}
		}
	}
	return 0
}
