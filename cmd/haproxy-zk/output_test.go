package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestOutputKeepsOrderAndDrains(t *testing.T) {
	var got bytes.Buffer
	o := newOutput(&got)
	var want strings.Builder
	for i := range 1000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		if n, err := o.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	o.drain()
	if got.String() != want.String() {
		t.Errorf("%d bytes came out, not %d, or in another order", got.Len(), want.Len())
	}
	if lost := o.lost.Load(); lost != 0 {
		t.Errorf("%d lines lost", lost)
	}
}

func TestOutputWritesTheLineThatComesWithTheEnd(t *testing.T) {
	for i := range 2000 {
		var got bytes.Buffer
		o := newOutput(&got)
		fmt.Fprintln(o, "why it ends")
		o.drain()
		if got.String() != "why it ends\n" {
			t.Fatalf("try %d: %q came out", i, got.String())
		}
	}
}

func TestOutputThatNobodyReadsHoldsNobody(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	o := newOutput(write)
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
	o.drain()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	write.Close() // ends the write that hangs
}

func TestOutputThatIsClosedHoldsNobody(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	o := newOutput(write)
	for range 100 {
		if _, err := o.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
	}
	o.drain()
	if lost := o.lost.Load(); lost != 100 {
		t.Errorf("%d lines lost", lost)
	}
}
