package browser

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// contains returns nil if a text has all parts.
func contains(text string, parts ...string) error {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return fmt.Errorf("no %q in %s", part, text)
		}
	}
	return nil
}

// haproxy-zk ends while the page is open: the page says that it is outdated, keeps what it
// shows, and recovers with what has changed meanwhile.
func TestPageRecoversFromRestart(t *testing.T) {
	s := begin(t, nil)
	s.app(front)
	b := s.open("/ui", look{})
	b.live()
	b.becomes("one instance", cell(front, 3)+" === '1'")
	s.end()
	b.becomes("it says so", `document.body.classList.contains('lost') && document.getElementById('live').innerText.includes('outdated')`)
	if got := b.text(cell(front, 2)); got != "1" {
		t.Errorf("it shows %s instances", got)
	}
	b.picture("lost")
	s.app(front)
	s.start()
	b.live()
	b.becomes("both instances", cell(front, 3)+" === '2'")
	b.forgive()
}

// Names and words of others stay what they are: text, in its own direction.
func TestWordsOfOthers(t *testing.T) {
	const long = "web-0123456789-0123456789-0123456789-0123456789-0123456789-abcdefg"
	s := newStage(t, func(c *rig.SeedConfig) {
		c.Groups = append(c.Groups, rig.Group{Name: long, ACLs: []string{"path_beg /long"}})
	})
	s.start()
	for _, name := range []string{"\u202egnp.exe", "应用：１２７", "<img src=x onerror=alert(1)>"} {
		if err := s.registry.Register(s.node(front), name); err != nil {
			t.Fatal(err)
		}
	}
	b := s.open("/ui?q=web-", look{width: 390, height: 844, phone: true})
	b.live()
	b.becomes("three are not usable", cell(front, 1)+`.includes('3 not usable')`)
	b.click(row(front) + `.querySelector('.fold')`)
	b.becomes("what to do", `document.querySelector('#groups .finding .remedy')?.innerText.length > 10`)
	for what, expression := range map[string]string{
		"an element of another": `document.querySelectorAll('main img').length === 0`,
		"no isolation":          `[...document.querySelectorAll('#groups .finding code')].every((c) => c.querySelector('bdi') && getComputedStyle(c.querySelector('bdi')).unicodeBidi.startsWith('isolate'))`,
		"too wide":              `document.documentElement.scrollWidth <= innerWidth`,
		"the long name is cut":  row(long) + ` !== undefined`,
	} {
		if b.text(expression) != "true" {
			t.Error(what)
		}
	}
	b.picture("words")
}

// A port with a token asks a browser for it, and the page, its files and its stream take
// it as a password.
func TestTokenAsPassword(t *testing.T) {
	s := newStage(t, nil)
	file := s.home + "/token"
	if err := write(file, "canary-token\n"); err != nil {
		t.Fatal(err)
	}
	s.start("HTTP_TOKEN_FILE=" + file)
	code, body := rig.Get("http://" + s.http + "/ui")
	if err := errors.Join(contains(body, "as the password of any user"), contains(fmt.Sprint(code), "401")); err != nil {
		t.Error(err)
	}
	address := s.http
	s.http = "anyone:canary-token@" + s.http
	b := s.open("/ui", look{})
	b.live()
	if got := b.text(`document.styleSheets[0].cssRules.length > 10`); got != "true" {
		t.Error("no style")
	}
	s.http = address
}
