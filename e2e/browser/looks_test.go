package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// contrast is the lowest contrast of a text with the ground behind it, by WCAG, and that
// text.
const contrast = `(() => {
  const parse = (c) => (c.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  let worst = [99, ''];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !e.checkVisibility() || e.closest('noscript, option, .skip')) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const c = (a + 0.05) / (b + 0.05);
    if (c < worst[0]) worst = [c, texts.currentNode.data.trim()];
  }
  return worst[0] >= 4.5 ? 'enough' : worst.join(' ');
})()`

// The page is readable in each theme, language and width, and needs no scrolling sideways.
func TestLooks(t *testing.T) {
	s := begin(t, nil)
	s.app(front)
	s.app(front).SetHealthy(false)
	for name, l := range map[string]look{
		"light": {},
		"dark":  {dark: true},
		"phone": {width: 390, height: 844, phone: true},
		"zh":    {language: "zh-CN"},
	} {
		b := s.open("/ui?sort=name", l)
		b.live()
		b.becomes("one is down", row(front)+`?.className === 'group bad'`)
		b.click(row(front) + `.querySelector('.fold')`)
		b.becomes("unfolded", `document.querySelectorAll('#groups > .instance').length === 2`)
		b.picture(name)
		if got := b.text(contrast); got != "enough" {
			t.Errorf("%s: the contrast is %s", name, got)
		}
		if got := b.text(`document.documentElement.scrollWidth <= innerWidth`); got != "true" {
			t.Errorf("%s: the page is wider than the window", name)
		}
		if got := b.text(`matchMedia('(prefers-color-scheme: dark)').matches`); (got == "true") != l.dark {
			t.Errorf("%s: dark is %s", name, got)
		}
		if l.language == "zh-CN" {
			if got := b.text(`document.documentElement.lang + ' ' + document.getElementById('list').innerText`); got != "zh-CN 应用" {
				t.Errorf("in Chinese it is %s", got)
			}
			b.click(`document.getElementById('lang-en')`)
			b.becomes("English", `document.documentElement.lang === 'en' && document.getElementById('list')?.innerText === 'Groups'`)
			b.live()
		}
	}
}

// Rows keep their places while only numbers change.
func TestNothingShiftsWhileNumbersChange(t *testing.T) {
	s := begin(t, nil)
	s.app(front)
	s.app("web-basecentre")
	b := s.open("/ui", look{before: `window.shifted = 0; new PerformanceObserver((l) => { for (const e of l.getEntries()) window.shifted += e.value; }).observe({ type: 'layout-shift', buffered: true });`})
	b.live()
	b.becomes("up", cell(front, 3)+` === '1'`)
	b.becomes("settled", `document.querySelector('#groups .group .chip').innerText === 'Serving'`)
	before := b.text(`window.shifted = 0`)
	s.load()
	b.becomes("requests are counted", `parseFloat(`+cell(front, 6)+`) > 1`)
	first := b.text(cell(front, 6))
	b.becomes("the rate changes", cell(front, 6)+` !== '`+first+`'`)
	if got := b.text(`window.shifted < 0.01`); got != "true" {
		t.Errorf("the layout shifted by %s, from %s", b.text(`window.shifted`), before)
	}
	b.picture("traffic")
}

// Without JavaScript it is a plain table, whose links unfold, sort and filter.
func TestWithoutJavaScript(t *testing.T) {
	s := begin(t, nil)
	a := s.app(front)
	b := s.open("/", look{noScript: true})
	text := func() string { return run(b, chromedp.OuterHTML(chromedp.CSS("body"))) }
	if got := text(); !strings.Contains(got, "Without JavaScript this page does not follow changes") || !strings.Contains(got, front) || strings.Contains(got, "</noscript>Live") {
		t.Errorf("it says %s", got)
	}
	b.do(chromedp.Navigate("http://" + s.http + "/ui?q=ngboss"))
	b.do(chromedp.Click(chromedp.CSS("#groups .fold")))
	s.eventually("the instance, with its state", func() error {
		return contains(text(), `<span class="address">`+a.Addr()+`</span></td>`, "JSON", `aria-expanded="true"`)
	})
	b.picture("noscript")
}

// A browser that cannot follow says so.
func TestWithoutEventStream(t *testing.T) {
	s := begin(t, nil)
	b := s.open("/ui", look{before: "delete window.EventSource;"})
	b.becomes("it says so", `document.body.classList.contains('lost') && document.getElementById('live').innerText.startsWith('No event stream')`)
	b.click(row(front) + `.querySelector('.fold')`)
	b.becomes("it unfolds all the same", row(front)+`.querySelector('.fold').getAttribute('aria-expanded') === 'true'`)
}
