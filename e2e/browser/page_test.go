package browser

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// An instance that registers is on an open page within a second, and up as soon as
// HAProxy finds it so.
func TestRegistrationAppearsWithinASecond(t *testing.T) {
	s := newStage(t, nil)
	s.binary = shared.plain
	s.start()
	s.app(front)
	b := s.open("/", look{})
	b.live()
	b.becomes("one instance", cell(front, 2)+" === '1' && "+cell(front, 3)+" === '1'")
	began := time.Now()
	s.app(front)
	b.becomes("two instances", cell(front, 2)+" === '2'")
	took := time.Since(began)
	t.Logf("registered on the page after %v", took)
	if took > time.Second {
		t.Errorf("it took %v", took)
	}
	b.becomes("both are up", cell(front, 3)+" === '2'")
	t.Logf("up on the page after %v", time.Since(began))
	if got := b.text("location.pathname"); got != "/ui" {
		t.Errorf("a browser that asks for / is at %s", got)
	}
}

// A failing instance turns red with its check result, on the page that is open, in the
// color and in words; so does its group.
func TestFailingInstanceTurnsRed(t *testing.T) {
	s := begin(t, nil)
	good, sick := s.app(front), s.app(front)
	b := s.open("/ui", look{})
	b.live()
	b.becomes("both are up", cell(front, 3)+" === '2'")
	b.click(row(front) + `.querySelector('.fold')`)
	b.becomes("unfolded", instance(sick.Addr()))
	sick.SetHealthy(false)
	b.becomes("the check's result", instance(sick.Addr())+`.querySelector('.reason')?.innerText.includes('L7STS')`)
	for expression, want := range map[string]string{
		instance(sick.Addr()) + `.className`:                        "instance bad",
		instance(good.Addr()) + `.className`:                        "instance good",
		instance(sick.Addr()) + `.querySelector('.chip').innerText`: "Down",
		row(front) + `.className`:                                   "group bad",
		cell(front, 1):                                              "1 down",
		cell(front, 3):                                              "1",
		`getComputedStyle(` + instance(sick.Addr()) + `.querySelector('.chip')).color`:           "rgb(168, 27, 27)",
		`getComputedStyle(` + instance(sick.Addr()) + `.querySelector('.chip')).backgroundColor`: "rgb(253, 228, 227)",
	} {
		if got := b.text(expression); got != want {
			t.Errorf("%s is %q, not %q", expression, got, want)
		}
	}
	b.becomes("the title counts it", `document.title === '(1) haproxy-zk'`)
	b.becomes("the event", `document.querySelector('#events').innerText.includes(`+"`"+sick.Addr()+"`"+`) && document.querySelector('#events .event.bad .kind')?.innerText === 'Down'`)
	b.click(instance(sick.Addr()) + `.querySelector('summary')`)
	b.becomes("each worker's check", `document.querySelector('#groups .instance.bad .workers').innerText.includes('503')`)
	b.picture("desktop")
	sick.SetHealthy(true)
	b.becomes("up again", instance(sick.Addr())+`.className === 'instance good'`)
	b.becomes("still unfolded", instance(sick.Addr())+`.querySelector('details').open`)
}

// Everything can be done without a mouse.
func TestKeyboard(t *testing.T) {
	s := begin(t, nil)
	a := s.app(front)
	b := s.open("/ui", look{})
	b.live()
	b.becomes("an instance", cell(front, 2)+" === '1'")
	key := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			b.do(chromedp.KeyEvent(k))
		}
	}
	key("/")
	b.becomes("the filter has the focus", `document.activeElement.id === 'q'`)
	b.text(`document.activeElement.value = ''`) // a key that the page takes has no character, but here it is sent apart
	key("b", "a", "s", "e")
	b.becomes("one group", `document.querySelectorAll('#groups > .group').length === 1 && document.activeElement.id === 'q' && location.search.includes('q=base')`)
	b.becomes("what was typed is kept", `document.activeElement.value === 'base'`)
	key(kb.Escape)
	b.becomes("all groups", `document.querySelectorAll('#groups > .group').length === 2`)
	key(kb.Escape)
	key("j", "j", "k")
	b.becomes("the first group has the focus", `document.activeElement === document.querySelector('#groups .fold')`)
	key(kb.ArrowDown)
	b.becomes("the second group has the focus", `document.activeElement === document.querySelectorAll('#groups .fold')[1]`)
	fold := `document.activeElement.getAttribute('aria-expanded')`
	key(kb.Enter)
	b.becomes("unfolded", fold+` === 'true'`)
	key(" ")
	b.becomes("folded", fold+` === 'false'`)
	key("j", "k", "k", "k", "j")
	b.do(chromedp.Focus(chromedp.CSS("#sort-name")))
	key(kb.Enter)
	b.becomes("sorted by name", `document.querySelector('th[aria-sort]').innerText.startsWith('Group') && document.activeElement.id === 'sort-name'`)
	key(kb.Tab)
	b.becomes("the next column has the focus", `document.activeElement.id === 'sort-status'`)
	b.do(chromedp.NavigateBack())
	b.becomes("back", `!location.search.includes('sort')`)
	if a.Served("/probe.jsp") == 0 {
		t.Error("nothing has checked the instance")
	}
}
