package haproxy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Level is the severity of a message. HAProxy 2.6 to 2.8 print some remarks as ALERT
// although they accept the configuration: only the exit status decides.
type Level string

// The levels of messages.
const (
	Alert   Level = "ALERT"
	Warning Level = "WARNING"
)

// Message is a message that HAProxy prints when it reads a configuration or starts.
type Message struct {
	Level Level
	// Line is the line of the configuration, counted from 1; 0 if there is none.
	Line int
	// Text is one line. It may name further lines of the configuration.
	Text string
}

var (
	// `[ALERT] 325/101902 (4711) : …` up to 2.2, `[ALERT]    (4711) : config : …` later.
	messageLine = regexp.MustCompile(`^\[([A-Z]+)\]\s+(?:\d+/\d+ )?\(\d+\) : (?:config : )?(.*)$`)
	// `[/etc/haproxy.conf:45]` anywhere in a text, with the absolute path of a file.
	namedLine = regexp.MustCompile(`\[/[^\]\s]*:([0-9]+)\]`)
	position  = regexp.MustCompile(`^(?:[Pp]arsing )?\[[^\]]+:(\d+)\]\s*:\s*`)
)

// ParseMessages parses HAProxy's output into messages, which may span several lines.
// Notices and the closing summary are omitted.
func ParseMessages(output string) []Message {
	var messages []Message
	listening := false
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		m := messageLine.FindStringSubmatch(line)
		if m == nil {
			more := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "|"))
			switch more {
			case "", "Warnings were found.", "Configuration file is valid":
			default:
				if listening {
					messages[len(messages)-1].Text += " " + more
				}
			}
			continue
		}
		closing := strings.HasPrefix(m[2], "Error(s) found in configuration file") || strings.HasPrefix(m[2], "Fatal errors found in configuration") ||
			strings.HasPrefix(m[2], "Some warnings were found and 'zero-warning' is set")
		listening = m[1] != "NOTICE" && !closing
		if !listening {
			continue
		}
		msg := Message{Level: Alert, Text: m[2]}
		if m[1] == "WARNING" {
			msg.Level = Warning
		}
		if p := position.FindStringSubmatch(msg.Text); p != nil {
			msg.Text = msg.Text[len(p[0]):]
			msg.Line = lineNumber(p[1])
		}
		messages = append(messages, msg)
	}
	return messages
}

// AlertedLines returns the lines of a configuration, counted from 1, named by alerts, in
// the order of the alerts. Text before the first message is ignored, as in an error that
// quotes HAProxy.
func AlertedLines(text string) []int {
	if begin := strings.Index(text, "["+string(Alert)+"]"); begin > 0 {
		text = text[begin:]
	}
	var lines []int
	for _, m := range ParseMessages(text) {
		if m.Level != Alert {
			continue
		}
		n := m.Line
		if name := namedLine.FindStringSubmatch(m.Text); n == 0 && name != nil {
			n = lineNumber(name[1])
		}
		if n > 0 {
			lines = append(lines, n)
		}
	}
	return lines
}

// lineNumber parses digits; it returns 0 if there are more than a line number can have.
func lineNumber(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// Kind is equal for messages that differ only in numbers, such as lines and pids.
func (m Message) Kind() string { return string(m.Level) + WithoutDigits(m.Text) }

// WithoutDigits removes the parts of HAProxy's output that differ each time: pids, times.
func WithoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, text)
}

// Relocate replaces references to lines of the configuration in the text, FILE:17 or
// [FILE:17], by what place returns for them.
func (m Message) Relocate(file string, place func(line int) string) Message {
	named := regexp.MustCompile(fmt.Sprintf(`\[?%s:(\d+)\]?`, regexp.QuoteMeta(file)))
	m.Text = named.ReplaceAllStringFunc(m.Text, func(match string) string {
		line, err := strconv.Atoi(named.FindStringSubmatch(match)[1])
		if err != nil {
			return match // more digits than a line can have
		}
		return place(line)
	})
	return m
}
