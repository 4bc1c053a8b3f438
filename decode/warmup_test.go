package decode

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func warming(parameters string) Registration {
	r, reason := New(Options{Format: URL}).Decode(url.QueryEscape("tri://10.0.0.5:50051/a.B?"+parameters), nil)
	if reason != nil {
		panic(reason)
	}
	return r
}

func TestWeightGrowsDuringWarmup(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(1_769_292_890_155)
	r := warming(fmt.Sprintf("warmup=600000&weight=200&timestamp=%d", start.UnixMilli()))
	var weights []int16
	at := start
	for {
		terms, until := r.TermsAt(at)
		if weights = append(weights, terms.Weight); until.IsZero() {
			break
		}
		if pause := until.Sub(at); pause <= 0 || pause > time.Minute+time.Millisecond {
			t.Fatalf("the next step is after %v", pause)
		}
		at = until
	}
	if got := fmt.Sprint(weights); got != "[10 30 50 70 90 110 130 150 170 190 200]" {
		t.Errorf("weights %s", got)
	}
	if took := at.Sub(start); took < 10*time.Minute || took > 10*time.Minute+time.Second {
		t.Errorf("it took %v", took)
	}
}

// SOFA RPC gives an instance another weight until it is warm.
func TestFixedWeightDuringWarmup(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(1_769_292_890_155)
	for parameters, want := range map[string][2]registry.Terms{
		"weight=100&startTime=1769292890155&warmupTime=60000&warmupWeight=10":               {{Weight: 10}, {}},
		"weight=50&startTime=1769292890155&warmupTime=60000&warmupWeight=200":               {{Weight: 200}, {Weight: 50}},
		"weight=100&startTime=1769292890155&warmupTime=60000&warmupWeight=0":                {{Drain: true}, {}},
		"weight=0&startTime=1769292890155&warmupTime=60000&warmupWeight=100":                {{}, {Drain: true}},
		"weight=0&startTime=1769292890155&warmupTime=60000&warmupWeight=9&disabled=true":    {{Drain: true}, {Drain: true}},
		"weight=30&startTime=1769292890155&warmupTime=60000":                                {{Weight: 30}, {Weight: 30}},
		"weight=30&startTime=1769292890155&warmupTime=60000&warmupWeight=much":              {{Weight: 30}, {Weight: 30}},
		"weight=30&warmupTime=60000&warmupWeight=5":                                         {{Weight: 30}, {Weight: 30}},
		"weight=30&startTime=1769292890155&warmupTime=60000000000&warmupWeight=5":           {{Weight: 30}, {Weight: 30}},
		"startTime=1769292890155&warmupTime=60000&warmupWeight=5&dynamic=true&version=1.0&": {{Weight: 5}, {}},
	} {
		r := warming(parameters)
		during, until := r.TermsAt(start.Add(time.Second))
		after, ever := r.TermsAt(start.Add(time.Minute))
		if during != want[0] || after != want[1] || !ever.IsZero() {
			t.Errorf("%s: %+v, then %+v", parameters, during, after)
		}
		if during != after && !until.Equal(start.Add(time.Minute)) {
			t.Errorf("%s: until %v", parameters, until)
		}
	}
}

// In Curator's JSON it is in the metadata.
func TestWarmupOfMetadata(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]Warmup{
		spring(`"warmup":"600000","timestamp":"1769292000000"`):                       {From: time.UnixMilli(1_769_292_000_000).UTC(), For: 10 * time.Minute},
		spring(`"warmup":600000`):                                                     {From: time.UnixMilli(1_769_292_890_155).UTC(), For: 10 * time.Minute},
		spring(`"warmup":"600000","timestamp":"soon"`):                                {},
		spring(`"warmup":"-1"`):                                                       {},
		spring(`"timestamp":"1769292000000"`):                                         {},
		`{"address":"10.0.0.5","port":80,"payload":{"metadata":{"warmup":"600000"}}}`: {},
		`{"address":"10.0.0.5","port":80,"registrationTimeUTC":1e300,"payload":{"metadata":{"warmup":"600000"}}}`:                {},
		`{"address":"10.0.0.5","port":80,"registrationTimeUTC":"never","payload":{"metadata":{"warmup":"600000"}}}`:              {},
		strings.Replace(dubbo3(bothPorts), `"dubbo.metadata`, `"warmup":"60000","timestamp":"1769292000000","dubbo.metadata`, 1): {From: time.UnixMilli(1_769_292_000_000).UTC(), For: time.Minute},
	} {
		r, reason := New(Options{Format: Curator}).Decode(uuid, []byte(data))
		if reason != nil || r.Warmup != want {
			t.Errorf("%s: %+v %v", data, r.Warmup, reason)
		}
	}
}

func TestWarmupThatMakesNoSenseIsNone(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_769_292_890_155)
	for _, parameters := range []string{
		"warmup=600000", "timestamp=1769292890155", "warmup=-1&timestamp=1769292890155", "warmup=0&timestamp=1769292890155",
		"warmup=600000&timestamp=1", "warmup=x&timestamp=1769292890155", "warmup=999999999999&timestamp=1769292890155",
		"warmup=600000&timestamp=9223372036854775807", "warmup=600000&timestamp=1769296890155", "warmup=600000&timestamp=-5",
		"warmup=9223372036854775807&timestamp=9223372036854775807",
	} {
		if terms, until := warming(parameters).TermsAt(now); terms.Weight != 0 || terms.Drain || !until.IsZero() {
			t.Errorf("%s: %+v until %v", parameters, terms, until)
		}
	}
	for parameters, want := range map[string]int16{
		"warmup=600000&timestamp=1769292900155":          5, // a clock that is ahead
		"warmup=1&timestamp=1769292890155":               5,
		"warmup=600000&weight=1&timestamp=1769292890155": 1,
	} {
		if terms, until := warming(parameters).TermsAt(now); terms.Weight != want || until.IsZero() {
			t.Errorf("%s: %+v until %v", parameters, terms, until)
		}
	}
	if terms, until := warming("disabled=true&warmup=600000&timestamp=1769292890155").TermsAt(now); !terms.Drain || !until.IsZero() {
		t.Errorf("disabled: %+v until %v", terms, until)
	}
}
