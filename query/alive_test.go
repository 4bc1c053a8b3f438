package query

import (
	"log/slog"
	"testing"
)

func TestAnswersWithoutConnection(t *testing.T) {
	s := New(Options{Proxies: func() []Proxy { return nil }, Logger: slog.New(slog.DiscardHandler)})
	if err := s.Answers(); err != nil {
		t.Error(err)
	}
	s.Stop() // 503 is an answer too
	if err := s.Answers(); err != nil {
		t.Error(err)
	}
}

func TestAnswersBlocksOnStuckProxy(t *testing.T) {
	stuck := make(chan struct{})
	s := New(Options{Proxies: func() []Proxy { <-stuck; return nil }, Logger: slog.New(slog.DiscardHandler)})
	answered := make(chan error, 1)
	go func() { answered <- s.Answers() }()
	select {
	case err := <-answered:
		t.Fatalf("it answers: %v", err)
	default:
	}
	close(stuck)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}
