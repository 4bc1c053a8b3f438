package daemon

import (
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestMemoryLimit(t *testing.T) {
	const unlimited = math.MaxInt64
	fails := func(err error) memlimit.Provider { return func() (uint64, error) { return 0, err } }
	for name, tt := range map[string]struct {
		environment string
		allowed     memlimit.Provider
		want        int64
		logs        string
	}{
		"a quarter":           {"", memlimit.Limit(1 << 30), 1 << 28, "level=INFO"},
		"not next to nothing": {"", memlimit.Limit(48 << 20), memoryLeast, "level=INFO"},
		"absurdly much":       {"", memlimit.Limit(math.MaxUint64), math.MaxUint64 / 4, "level=INFO"},
		"none":                {"", fails(memlimit.ErrNoLimit), unlimited, ""},
		"no cgroup":           {"", fails(memlimit.ErrNoCgroup), unlimited, ""},
		"not known":           {"", fails(errors.New("memory.max is a folder")), unlimited, "memory.max is a folder"},
		"the environment's":   {"off", memlimit.Limit(1 << 30), unlimited, "off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOMEMLIMIT", tt.environment)
			before := debug.SetMemoryLimit(unlimited)
			defer debug.SetMemoryLimit(before)
			var logged strings.Builder
			limitMemory(slog.New(slog.NewTextHandler(&logged, nil)), tt.allowed)
			if got := debug.SetMemoryLimit(-1); got != tt.want {
				t.Errorf("the limit is %d, not %d", got, tt.want)
			}
			if !strings.Contains(logged.String(), tt.logs) || tt.logs == "" && logged.Len() > 0 {
				t.Errorf("logged %q", &logged)
			}
		})
	}
}
