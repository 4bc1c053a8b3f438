package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// look is how a page is looked at. The zero value is a desktop with a light theme, in
// English.
type look struct {
	width, height int
	phone, dark   bool
	language      string
	noScript      bool
	// before is a script that runs before those of the page.
	before string
}

// tab is a page in a browser of its own.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string
	received float64 // bytes of all answers
	message  string  // the beginning of the latest one of the stream
}

// violations reports violations of the page's policy where the test sees them.
const violations = `addEventListener('securitypolicyviolation', (e) => console.error('policy violation: ' + e.violatedDirective + ' ' + e.blockedURI));`

// open opens the page of a daemon. At the end of the test the browser must not have
// reported any error, unless forgive is called.
func (s *stage) open(path string, l look) *tab {
	s.t.Helper()
	if l.width == 0 {
		l.width, l.height = 1360, 900
	}
	if l.language == "" {
		l.language = "en"
	}
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.Flag("lang", l.language), chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(l.width, l.height),
		chromedp.Flag("force-color-profile", "srgb"),
	)
	if os.Getuid() == 0 {
		flags = append(flags, chromedp.NoSandbox) // Chromium's sandbox does not work as root
	}
	allocated, closeBrowser := chromedp.NewExecAllocator(context.WithoutCancel(s.t.Context()), flags...)
	ctx, closeTab := chromedp.NewContext(allocated)
	b := &tab{t: s.t, ctx: ctx}
	s.t.Cleanup(func() {
		b.mu.Lock()
		if len(b.problems) > 0 {
			s.t.Errorf("the browser reported:\n%s", strings.Join(b.problems, "\n"))
		}
		b.mu.Unlock()
		closeTab()
		closeBrowser()
	})
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		s.t.Fatal(err)
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	b.do(
		command(log.Enable, cdp.Empty{}), command(runtime.Enable, cdp.Empty{}), command(network.Enable, network.EnableParams{}),
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: int64(l.width), Height: int64(l.height), DeviceScaleFactor: 1, Mobile: l.phone}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
		command(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "Mozilla/5.0 test", AcceptLanguage: l.language}),
		command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.noScript}),
		command(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: violations + l.before}),
		chromedp.Navigate("http://"+s.http+path),
	)
	return b
}

// command is a command of the protocol whose result is of no interest.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// hear records what the browser reports.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if string(e.Type) == "error" || string(e.Type) == "warning" {
			b.problems = append(b.problems, fmt.Sprintf("console: %s", e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.problems = append(b.problems, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
		}
	case *network.EventEventSourceMessageReceived:
		b.message = e.Data[:min(len(e.Data), 300)]
	case *network.EventDataReceived:
		b.received += float64(e.DataLength)
	}
}

// forgive forgets failed connections, which a test has caused.
func (b *tab) forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = slices.DeleteFunc(b.problems, func(p string) bool { return strings.Contains(p, "net::ERR_") })
}

// bytes returns the bytes received so far.
func (b *tab) bytes() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.received
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*within)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// run runs an action and returns its value.
func run[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*within)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	return value
}

// text returns the value of an expression as text.
func (b *tab) text(expression string) string {
	b.t.Helper()
	return run(b, chromedp.Evaluate[string]("String("+expression+")"))
}

// becomes waits until an expression is true.
func (b *tab) becomes(what, expression string) {
	b.t.Helper()
	err := rig.Eventually(b.t.Context(), within, func() error {
		if !run(b, chromedp.Evaluate[bool]("(() => { try { return Boolean("+expression+"); } catch { return false; } })()")) {
			return fmt.Errorf("not %s", expression)
		}
		return nil
	})
	if err != nil {
		b.t.Fatalf("%s: %v; the page says:\n%s", what, err, b.text("document.body.innerText"))
	}
}

// live waits until the page follows changes.
func (b *tab) live() {
	b.t.Helper()
	b.becomes("live", `document.body.classList.contains('live')`)
}

// click clicks an element.
func (b *tab) click(element string) {
	b.t.Helper()
	b.becomes("clicked", "("+element+".click(), true)")
}

// picture keeps a picture of the page.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("BROWSER_PICTURES")
	if dir == "" {
		dir = b.t.TempDir()
	}
	png := run(b, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
	b.t.Logf("%s.png has %d kB", name, len(png)>>10)
}

// row is an expression for the row of a group, cell for one of its cells.
func row(group string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('#groups > .group')].find((r) => r.querySelector('.fold').textContent === %q)`, group)
}

func cell(group string, n int) string { return row(group) + fmt.Sprintf("?.children[%d].innerText", n) }

// instance is an expression for the row of an instance.
func instance(address string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('#groups > .instance')].find((r) => r.querySelector('.address').textContent === %q)`, address)
}
