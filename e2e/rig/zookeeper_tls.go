package rig

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// ZooKeeperTLS is the TLS configuration of a server.
type ZooKeeperTLS struct {
	// Authority signs the server's certificate, and those of its clients.
	Authority *Authority
	// Hosts are the names in the server's certificate; default: 127.0.0.1.
	Hosts []string
	// Asks makes the server require a client certificate.
	Asks bool
}

// lines returns lines of zoo.cfg. ZooKeeper reads key and certificate from one file,
// whose name ends in .pem.
func (z *ZooKeeperTLS) lines(dir string, port int) ([]string, error) {
	hosts := z.Hosts
	if hosts == nil {
		hosts = []string{"127.0.0.1"}
	}
	issued, err := z.Authority.Issue("server", hosts...)
	if err != nil {
		return nil, err
	}
	var store []byte
	for _, file := range []string{issued.Key, issued.Cert} {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		store = append(store, text...)
	}
	file := filepath.Join(dir, "server.pem")
	if err := os.WriteFile(file, store, 0o600); err != nil {
		return nil, err
	}
	asks := "none"
	if z.Asks {
		asks = "need"
	}
	return []string{
		"secureClientPortAddress=127.0.0.1", fmt.Sprintf("secureClientPort=%d", port),
		"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location=" + file, "ssl.keyStore.type=PEM",
		"ssl.trustStore.location=" + z.Authority.File, "ssl.trustStore.type=PEM",
		"ssl.clientAuth=" + asks,
	}, nil
}

// Client returns the TLS configuration of a client with a certificate of the authority.
func (z *ZooKeeperTLS) Client() (*tls.Config, error) {
	issued, err := z.Authority.Issue("client")
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(issued.Cert, issued.Key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(z.Authority.cert)
	c := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}
	if len(z.Hosts) > 0 {
		c.ServerName = z.Hosts[0]
	}
	return c, nil
}

// dialWith dials, with TLS unless secure is nil.
func dialWith(secure *tls.Config, network, address string, timeout time.Duration) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout}
	if secure == nil {
		return dialer.Dial(network, address)
	}
	return tls.DialWithDialer(dialer, network, address, secure)
}
