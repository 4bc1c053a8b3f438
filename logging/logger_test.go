package logging

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestLoggedDurationsHaveUnits(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			New(Options{Format: format}, &out).Info("tried", "retry_in", 1500*time.Millisecond)
			if format == "text" {
				if want := []byte("retry_in=1.5s"); !bytes.Contains(out.Bytes(), want) {
					t.Errorf("%s lacks %s", out.Bytes(), want)
				}
				return
			}
			var line map[string]any
			if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["retry_in_seconds"] != 1.5 || line["retry_in"] != nil {
				t.Errorf("%s: %v", out.Bytes(), err)
			}
		})
	}
}
