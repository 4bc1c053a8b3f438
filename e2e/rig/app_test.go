package rig_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func get(t *testing.T, url string) (status int, body string, header http.Header) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return 0, "", nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(text), response.Header
}

func TestAppAnswers(t *testing.T) {
	t.Parallel()
	app := startApp(t, "web-ngboss")

	status, body, header := get(t, "http://"+app.Addr()+"/any/path")
	if status != 200 || body != "web-ngboss "+app.Addr()+"\n" ||
		header.Get(rig.HeaderInstance) != app.Addr() || header.Get(rig.HeaderApp) != "web-ngboss" {
		t.Errorf("got %d %q %v", status, body, header)
	}
	if got := app.Served("/any/path"); got != 1 {
		t.Errorf("%d requests counted, want 1", got)
	}
	first, last := app.Traffic()

	if status, _, _ := get(t, "http://"+app.Addr()+"/base/probe.jsp"); status != 200 {
		t.Errorf("the health check got %d, want 200", status)
	}
	app.SetHealthy(false)
	if status, _, _ := get(t, "http://"+app.Addr()+"/base/probe.jsp"); status != 503 {
		t.Errorf("the health check of a sick instance got %d, want 503", status)
	}
	app.SetBroken(true)
	if status, _, _ := get(t, "http://"+app.Addr()+"/"); status != 500 {
		t.Errorf("a request to a broken instance got %d, want 500", status)
	}
	if status, _, _ := get(t, "http://"+app.Addr()+"/slow?ms=x"); status != 400 {
		t.Errorf("a senseless wait got %d, want 400", status)
	}
	if f, _ := app.Traffic(); first.IsZero() || last.Before(first) || f != first {
		t.Errorf("traffic from %v to %v, then from %v", first, last, f)
	}
}

// A leaving instance waits for running requests.
func TestAppBecomesQuiet(t *testing.T) {
	t.Parallel()
	app := startApp(t, "web")
	answered := make(chan int, 1)
	go func() {
		status, _, _ := get(t, "http://"+app.Addr()+"/slow?ms=400")
		answered <- status
	}()
	err := rig.Eventually(t.Context(), 10*time.Second, func() error {
		if app.Served("/slow") == 0 {
			return errors.New("no request has arrived")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := app.Quiet(soon, 10*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("quiet while a request runs: %v", err)
	}
	if err := app.Quiet(t.Context(), 50*time.Millisecond); err != nil {
		t.Error(err)
	}
	if err := app.Stop(); err != nil {
		t.Error(err)
	}
	if status := <-answered; status != 200 {
		t.Errorf("the running request got %d", status)
	}
}

func TestEchoIsCutWithItsInstance(t *testing.T) {
	t.Parallel()
	app := startApp(t, "web-ngboss")
	cut, closed := openEcho(t, app), openEcho(t, app)
	if cut.Instance != app.Addr() {
		t.Errorf("instance %q, want %q", cut.Instance, app.Addr())
	}
	if err := closed.Close(); err != nil {
		t.Errorf("cut: %v", err)
	}
	if err := app.Kill(); err != nil {
		t.Error(err)
	}
	err := rig.Eventually(t.Context(), 5*time.Second, func() error {
		if cut.Cut() == nil {
			return errors.New("it goes on")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := cut.Close(); err == nil {
		t.Error("no error")
	}
	if _, err := rig.OpenEcho(app.Addr(), "/x/echo"); err == nil {
		t.Error("a dead instance answers")
	}
}

func openEcho(t *testing.T, app *rig.App) *rig.Echo {
	t.Helper()
	echo, err := rig.OpenEcho(app.Addr(), "/x/echo")
	if err != nil {
		t.Fatal(err)
	}
	return echo
}
