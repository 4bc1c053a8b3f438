package haproxy

import (
	"slices"
	"testing"
)

func TestMapWithAndWithoutGroups(t *testing.T) {
	before := routeMaps(Frame{ConfFile: "/c"}, []Backend{{Name: "a", Route: RoutePath}, {Name: "b", Route: RoutePath}})[0]
	more := before.With([]Backend{{Name: "b"}, {Name: "c"}, {Name: "c"}, {Name: "D"}})
	if got, want := string(more.Text()), "/a/ a\n/b/ b\n/c/ c\n/d/ D\n"; got != want {
		t.Errorf("with: %q", got)
	}
	if got, want := string(more.Without([]Backend{{Name: "a"}, {Name: "c"}, {Name: "x"}}).Text()), "/b/ b\n/d/ D\n"; got != want {
		t.Errorf("without: %q", got)
	}
	if got := before.Groups(); !slices.Equal(got, []string{"a", "b"}) || len(more.Groups()) != 4 {
		t.Errorf("the map itself has changed: %q, %q", got, more.Groups())
	}
}

// Maps of workers share their entries.
func TestMapsThatGrowFromOneAreSeparate(t *testing.T) {
	one := Map{Route: RoutePath}.With([]Backend{{Name: "a"}, {Name: "b"}, {Name: "c"}})
	x, y := one.With([]Backend{{Name: "x"}}), one.With([]Backend{{Name: "y"}})
	if x.Groups()[3] != "x" || y.Groups()[3] != "y" {
		t.Errorf("%q, %q", x.Groups(), y.Groups())
	}
}
