package logging

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestOutputKeepsOrderAndDrains(t *testing.T) {
	var got bytes.Buffer
	o := NewOutput(&got)
	var want strings.Builder
	for i := range 1000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		if n, err := o.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	o.Drain()
	if got.String() != want.String() {
		t.Errorf("%d bytes came out, not %d, or in another order", got.Len(), want.Len())
	}
	if lost := o.lost.Load(); lost != 0 {
		t.Errorf("%d lines lost", lost)
	}
}

func TestOutputWritesLineThatArrivesWithDrain(t *testing.T) {
	for i := range 2000 {
		var got bytes.Buffer
		o := NewOutput(&got)
		fmt.Fprintln(o, "why it ends")
		o.Drain()
		if got.String() != "why it ends\n" {
			t.Fatalf("try %d: %q came out", i, got.String())
		}
	}
}

func TestUnreadOutputDoesNotBlock(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	o := NewOutput(write)
	begun := time.Now()
	line := bytes.Repeat([]byte("x"), 1000)
	for range 3 * maxWaiting {
		if _, err := o.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if o.lost.Load() < maxWaiting {
		t.Errorf("%d lines lost", o.lost.Load())
	}
	o.Drain()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	write.Close() // ends the write that hangs
}

func TestClosedOutputDoesNotBlock(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	o := NewOutput(write)
	for range 100 {
		if _, err := o.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
	}
	o.Drain()
	if lost := o.lost.Load(); lost != 100 {
		t.Errorf("%d lines lost", lost)
	}
}

// 500 lines of 64 KB are 32 MB, and six times that with every byte escaped: the queue is
// bounded in bytes, and HAProxy's lines leave half of it to the others.
func TestUnreadLongLinesTakeLittleMemory(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	o := NewOutput(write)
	const sent = 500
	var taken atomic.Int64
	log := New(Options{Format: JSON}, counting{o.LowPriority(), &taken})
	line := strings.Repeat("x", 65_000)
	for range sent {
		log.Info("haproxy", "line", line)
	}
	if taken.Load() != sent {
		t.Fatalf("%d lines were taken, not %d", taken.Load(), sent)
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc > 4*maxWaitingBytes {
		t.Errorf("%d MB are in use", memory.HeapAlloc>>20)
	}
	if waiting := o.waiting.Load(); waiting > maxWaitingBytes/2 {
		t.Errorf("%d bytes of HAProxy's lines wait", waiting)
	}
	if o.lost.Load() < sent-maxWaitingBytes/2/int64(len(line))-4 {
		t.Errorf("%d lines are counted as lost", o.lost.Load())
	}
	ours := o.lost.Load()
	if _, err := o.Write(bytes.Repeat([]byte("x"), maxWaitingBytes/4)); err != nil || o.lost.Load() != ours {
		t.Errorf("there is no room for our own line: %v", err)
	}
	read.Close() // ends the write that hangs
	o.Drain()
	write.Close()
	if waiting := o.waiting.Load(); waiting != 0 {
		t.Errorf("%d bytes are still counted as waiting", waiting)
	}
}

// counting counts the lines that it hands on.
type counting struct {
	to io.Writer
	n  *atomic.Int64
}

func (c counting) Write(line []byte) (int, error) {
	defer c.n.Add(1)
	return c.to.Write(line)
}
