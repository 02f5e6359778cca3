package e2e

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// Machines of a vCenter are stopped and started, vCenter restarts, forgets its sessions and goes away, and no client
// sees anything of it. Each machine is a block of its own, since all of them are on loopback.
func TestVSphere(t *testing.T) {
	v := testenv.StartVCenter(t)
	s := newStack(t, setup{none: true})
	p := s.makePlane()
	p.env = []string{"GOVC_URL=" + v.Address, "GOVC_USERNAME=" + v.Username, "GOVC_PASSWORD=" + v.Password, "GOVC_TLS_CA_CERTS=" + v.CAFile}
	p.start(t)
	s.addEdge("edge")

	const folder = "/DC0/vm/pool"
	one, two := testenv.StartUpstream(t, "pool"), testenv.StartUpstream(t, "pool")
	v.AddVM(t, folder, "one", "127.0.0.1")
	second := v.AddVM(t, folder, "two", "127.0.0.1")
	s.put("pool.hcl", fmt.Sprintf(`
upstream "pool" {
  vsphere {
    folder = %q
    name   = "one"
    port   = %d
    cidr   = "127.0.0.0/8"
  }
  vsphere {
    folder = %q
    name   = "two"
    port   = %d
    cidr   = "127.0.0.0/8"
  }
}
`, folder, one.Port(), folder, two.Port())+route("pool", "pool.example.com", "/", "pool"))
	s.serve(t, "pool.example.com", "/", "pool")
	s.calm(t, "pool.example.com", "/", func() {
		in(t, one)
		in(t, two)
		v.PowerOff(t, second)
		out(t, two)
		v.PowerOn(t, second)
		in(t, two)
		v.RevokeSessions(t)
		in(t, two)
		v.Restart(t)
		in(t, two)
		v.PowerOff(t, second)
		out(t, two)
		v.PowerOn(t, second)
		in(t, two)
		v.Stop()
		in(t, one)
		in(t, two)
	})
}
