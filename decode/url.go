package decode

import (
	"net/url"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// maxURL bounds an encoded URL; Dubbo's have a few hundred bytes, with all methods a
	// few thousand.
	maxURL = 64 << 10
)

// provider decodes an encoded URL.
func (o Options) provider(name string) (Registration, *Reason) {
	if len(name) > maxURL {
		return Registration{}, kindOf(registry.Payload, "its URL is longer than 64 KB")
	}
	text, err := url.QueryUnescape(name)
	if err != nil {
		return Registration{}, kindOf(registry.URL, "its URL is encoded incorrectly")
	}
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		return Registration{}, shaped(name, errShape)
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "empty", "override", "consumer", "condition", "route", "router", "script", "tag", "absent", "admin":
		return Registration{}, silent()
	}
	if !isOf(scheme, letters+digits+"+.-") {
		return Registration{}, kindOf(registry.URL, "its URL has no protocol")
	}
	rest, parameters, _ := strings.Cut(rest, "?")
	authority, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	host, port, err := cutPort(authority)
	if err != nil {
		return Registration{}, kindOf(registry.Address, "its URL has no host and port")
	}
	query, err := url.ParseQuery(parameters)
	if err != nil {
		return Registration{}, kindOf(registry.URL, "its URL has parameters that are encoded incorrectly")
	}
	if !o.takes(scheme) {
		return o.otherProtocol("its URL is of a protocol that is not HTTP, and protocol does not name it")
	}
	if !o.TLS && (scheme == tlsProtocol || query.Get("ssl-enabled") == "true") {
		return Registration{}, tlsOnly("its URL is for TLS")
	}
	r, reason := Registration{Format: URL}.at(host, port)
	if reason != nil {
		return Registration{}, reason
	}
	has := func(key string) (string, bool) { return query.Get(key), query.Has(key) }
	if !o.matches(has) {
		return Registration{}, silent()
	}
	if r.Terms, reason = o.providerTerms(query); reason != nil {
		return Registration{}, reason
	}
	if !disabled(query) {
		r.Warmup = urlWarmup(query)
	}
	return r, nil
}

// providerTerms reads weight, disabled and enabled.
func (o Options) providerTerms(query url.Values) (t registry.Terms, reason *Reason) {
	if text := query.Get("weight"); text != "" {
		var err error
		if t, err = parseWeight(t, text, fullWeight); err != nil {
			return t, kindOf(registry.Payload, err.Error())
		}
	}
	if disabled(query) {
		t.Drain = true
	}
	return t, nil
}

// disabled reports whether a provider is not to be called.
func disabled(query url.Values) bool {
	return query.Get("disabled") == "true" || query.Get("enabled") == "false"
}

// otherProtocol is the reason for an instance of a protocol that is not wanted. If a
// protocol is configured, others beside it are expected.
func (o Options) otherProtocol(problem string) (Registration, *Reason) {
	if o.Protocol != "" {
		return Registration{}, silent()
	}
	return Registration{}, kindOf(registry.Protocol, problem)
}
