package rig_test

import (
	"context"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// TestZooKeeperWithTLS registers at servers that speak nothing but TLS.
func TestZooKeeperWithTLS(t *testing.T) {
	for name, secure := range map[string]*rig.ZooKeeperTLS{
		"asks for nothing":         {},
		"asks for a certificate":   {Asks: true},
		"is known by another name": {Hosts: []string{"zk.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			authority, err := rig.NewAuthority(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			secure.Authority = authority
			z, err := rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: t.TempDir(), TLS: secure})
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			r, err := z.Connect(ctx, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := r.Register("/a/b", "127.0.0.1:1"); err != nil {
				t.Fatal(err)
			}
			if got, err := r.Children("/a/b"); err != nil || len(got) != 1 {
				t.Errorf("%v, %v", got, err)
			}

			// Without TLS no client gets in.
			short, stop := context.WithTimeout(ctx, 2*time.Second)
			defer stop()
			if plain, err := rig.ConnectRegistry(short, z.Addr(), 5*time.Second); err == nil {
				plain.Close()
				t.Error("it speaks without TLS")
			}
		})
	}
}
