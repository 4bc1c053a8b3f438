package supervisor

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkLogSocket measures a line of a request from its sender's write to the log,
// which is discarded.
func BenchmarkLogSocket(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	l, err := ListenLog(filepath.Join(b.TempDir(), "log.sock"), 0, nil, slog.New(slog.NewJSONHandler(null, nil)))
	if err != nil {
		b.Fatal(err)
	}
	received := make(chan struct{}, 1)
	n := 0
	l.Take = func(LogLine) bool {
		if n++; n == b.N {
			received <- struct{}{}
		}
		return false
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(b.Context()) }()
	conn, err := net.Dial("unixgram", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	line := []byte(`<134>Nov 29 20:12:14 haproxy[12]: 127.0.0.1:36904 [29/Nov/2026:20:12:14.655] public web/web1 0/0/1/69/70 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /index.html?with=a&query=of&some=length HTTP/1.1"` + "\n")
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := conn.Write(line); err != nil {
			b.Fatal(err)
		}
	}
	<-received
	b.StopTimer()
	if err := l.conn.Close(); err != nil {
		b.Error(err)
	}
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// BenchmarkLogLine measures what is made of a line that was received.
func BenchmarkLogLine(b *testing.B) {
	const line = `<134>Nov 29 20:12:14 haproxy[12]: 127.0.0.1:36904 [29/Nov/2026:20:12:14.655] public web/web1 0/0/1/69/70 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /index.html?with=a&query=of&some=length HTTP/1.1"` + "\n"
	b.ReportAllocs()
	for b.Loop() {
		if parsed := parseLogLine(line); parsed.Text == "" || level(line, parsed.Severity) != slog.LevelInfo {
			b.Fatal("no line")
		}
	}
}
