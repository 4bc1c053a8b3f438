package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
)

// serverTLSPrefix begins the names of the keys of server_tls in the reference.
const serverTLSPrefix = "server_tls."

// ServerTLS configures TLS between HAProxy and the instances of a group. The files are in
// PEM, and their paths are words of HAProxy's configuration.
type ServerTLS struct {
	// CA is the file of the authorities that the instances' certificates must chain to;
	// empty means that certificates are not verified.
	CA string
	// Cert is the file of HAProxy's own certificate and its key; empty is none.
	Cert string
	// ServerName is the name that is sent to instances and expected in their certificates;
	// empty means none is sent and any is accepted. ${group} in it is the group's name.
	ServerName string
}

const (
	verifyRequired = "required"
	verifyNone     = "none"
	giveServerTLS  = `an object, as in {"ca": "/etc/haproxy-zk/ca.pem"}`
)

func serverVerify() form[string] { return oneOf(verifyRequired, verifyNone) }

// instanceName is the name in the certificates of a group's instances.
func instanceName() form[string] {
	return form[string]{
		give: "a host's name, as in ${group}.example.com",
		ours: []string{"group", "app"},
		parse: func(text string) (string, error) {
			text = strings.ReplaceAll(text, "${app}", anyGroup)
			if host := strings.ReplaceAll(text, anyGroup, "group"); !hostName.MatchString(host) || digitsAndDots.MatchString(host) {
				return "", errNoName
			}
			return text, nil
		},
	}
}

var (
	errNoName = errors.New("it is not the name of a host")
	errNoPEM  = errors.New("it holds no certificate in PEM")
)

// readServerTLS reads server_tls; nil means no TLS.
func (o *object) readServerTLS(group string) *ServerTLS {
	o.rejectFlat("server_tls", "ca", "cert", "server_name", "verify")
	v := o.get("server_tls", "")
	if v.missing() {
		return nil
	}
	inner, ok := o.object(v, giveServerTLS)
	if !ok {
		return nil
	}
	t := &ServerTLS{
		CA: inner.pemFile("ca", func(data []byte) error {
			if !x509.NewCertPool().AppendCertsFromPEM(data) {
				return errNoPEM
			}
			return nil
		}),
		Cert: inner.pemFile("cert", func(data []byte) error {
			_, err := tls.X509KeyPair(data, data)
			return err
		}),
		ServerName: strings.ReplaceAll(read(inner, "server_name", instanceName(), ""), anyGroup, group),
	}
	ca := inner.get("ca", "")
	switch verify := read(inner, "verify", serverVerify(), ""); {
	case verify == verifyNone && !ca.missing():
		o.errorf(ca.at, ca.key, "it has no effect with verify none: remove one of them")
	case verify != verifyNone && ca.missing():
		o.errorf(ca.at, ca.key, "without a CA anyone could pose as an instance: give the file of the CA certificates that the instances' certificates chain to, or set verify to none")
	}
	inner.finish()
	return t
}

// pemFile reads the path of a file for HAProxy's configuration, and checks its content.
func (o *object) pemFile(key string, check func([]byte) error) string {
	v := o.get(key, "")
	path := o.claimFile(v, wordFile(), true)
	if path == "" {
		return ""
	}
	data, err := o.env.ReadFile(path)
	if err == nil {
		err = check(bytes.TrimSpace(data))
	}
	if err != nil {
		o.errorf(v.at, v.key, "%q cannot be used: %v: correct the path or the file", path, err)
	}
	return path
}

// rejectFlat rejects keys that belong into an object: ignoring them like unknown ones would
// leave a connection without TLS.
func (o *object) rejectFlat(object string, names ...string) {
	for _, name := range names {
		if flat := o.get(object+"."+name, ""); !flat.missing() {
			o.errorf(flat.at, flat.key, "it is a key of the object %s: write %q: {%q: …}", object, object, name)
		}
	}
}

// readTransport reads how HAProxy connects to the instances of a group that is read
// otherwise, and reports settings that do not fit.
func (o *object) readTransport(g *Group) {
	g.TLS = o.readServerTLS(g.Name)
	written := speaksTLS(*g)
	if v := o.get("server_tls", ""); g.TLS != nil && written {
		o.errorf(v.at, v.key, "the group's servers have `ssl` already: remove it from server-template and lines, or remove this key")
	}
	g.Decoding.TLS = g.TLS != nil || written
	if !g.Decoding.ChoosesTLS() || g.Decoding.TLS || !o.get("server_tls", "").missing() {
		return
	}
	v := o.get("protocol", "")
	if g.Decoding.PortName != "" {
		v = o.get("port_name", "")
	}
	o.errorf(v.at, v.key, "it chooses a port for TLS, but HAProxy would connect to it in clear text: set server_tls to %s, or add `ssl` to the server-template", giveServerTLS)
}

// speaksTLS reports whether the options of a group's servers ask for TLS.
func speaksTLS(g Group) (speaks bool) {
	options := func(words []string) {
		for _, word := range words {
			speaks = word == "ssl" || speaks && word != "no-ssl"
		}
	}
	for _, line := range g.Lines {
		if words := strings.Fields(line); len(words) > 0 && words[0] == "default-server" {
			options(words)
		}
	}
	options(strings.Fields(g.ServerTemplate))
	return speaks
}
