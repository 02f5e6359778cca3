package e2e

import (
	"fmt"
	"testing"
	"time"

	catalogpolicies "github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/discovery/ec2/policies"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// What happens to platforms every week costs no request, beyond what an instance that dies refuses itself; retries make
// up for that. Each platform goes on being followed afterwards.
func TestNoRequestFailsWhateverPlatformsDo(t *testing.T) {
	h := newHybrid(t)
	f := &faults{
		hybrid: h,
		vms:    []*instance{h.vm(t, 1), h.vm(t, 2)}, allocs: []*instance{h.alloc(t, "1"), h.alloc(t, "2")},
		clouds: []*instance{h.cloud(t, "cloud-1"), h.cloud(t, "cloud-2")}, bares: []*instance{h.bare(t, "bare-1", nil)},
	}
	h.calculator(h.onVSphere(""), h.onEC2(""), h.onNomad(""), h.onConsul(""))
	h.served(t)
	l := h.load(t, "/", 300)
	f.everywhere(t)
	for _, step := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"a machine is powered off", f.powerOff},
		{"Nomad deploys, one instance after the other", f.rollingDeploy},
		{"an instance of EC2 is terminated", f.terminated},
		{"vCenter restarts", f.restarted},
		{"Nomad loses its leader", f.leaderless},
		{"EC2 throttles", f.throttled},
		{"credentials are revoked, and given again", f.revoked},
	} {
		t.Run(step.name, func(t *testing.T) {
			begun := time.Now()
			step.do(t)
			f.everywhere(t)
			t.Logf("%s", time.Since(begun).Round(time.Millisecond))
		})
		if t.Failed() {
			break
		}
	}
	fine(t, l)
}

// faults is a hybrid and the instances that are alive on each platform.
type faults struct {
	*hybrid
	vms, allocs, clouds, bares []*instance
	made                       int
}

// everywhere waits until every instance that is alive takes part.
func (f *faults) everywhere(t *testing.T) {
	t.Helper()
	for _, list := range [][]*instance{f.vms, f.allocs, f.clouds, f.bares} {
		takes(t, list...)
	}
}

// next is a number that no instance has yet.
func (f *faults) next() int {
	f.made++
	return 10 + f.made
}

func (f *faults) powerOff(t *testing.T) {
	gone := f.vms[0]
	f.vc.PowerOff(t, gone.id)
	gone.die()
	f.vms = append(f.vms[1:], f.vm(t, f.next()))
}

// rollingDeploy replaces allocations one by one: the new one is registered, then the old one ends, and Nomad tells.
func (f *faults) rollingDeploy(t *testing.T) {
	for range len(f.allocs) {
		fresh, gone := f.alloc(t, fmt.Sprint(f.next())), f.allocs[0]
		takes(t, fresh)
		gone.die()
		f.nomad.Lose("default", gone.id)
		f.allocs = append(f.allocs[1:], fresh)
	}
}

func (f *faults) terminated(t *testing.T) {
	gone := f.clouds[0]
	f.terminate(t, gone)
	gone.die()
	f.clouds = append(f.clouds[1:], f.cloud(t, fmt.Sprintf("cloud-%d", f.next())))
}

// restarted stops vCenter, lets it be missed, and starts it: all sessions are gone. A machine that was added meanwhile is
// found.
func (f *faults) restarted(t *testing.T) {
	f.vc.Stop()
	f.fails(t, "vsphere", len(f.vms))
	f.everywhere(t)
	f.vc.Start(t)
	f.vms = append(f.vms, f.vm(t, f.next()))
}

// leaderless answers as servers of Nomad do that have no leader, in several ways that each look like something else.
func (f *faults) leaderless(t *testing.T) {
	for _, x := range []testenv.NomadFault{{Status: 500}, {Filter: true}, {Hang: true}, {Empty: true}} {
		f.nomad.Break(x)
		f.nomad.CutStreams()
		if x.Status != 0 {
			f.fails(t, "nomad", len(f.allocs))
		}
		f.everywhere(t)
	}
	f.nomad.Break()
	f.well(t, "nomad")
	f.allocs = append(f.allocs, f.alloc(t, fmt.Sprint(f.next())))
}

func (f *faults) throttled(t *testing.T) {
	f.ec2.throttle(true)
	f.fails(t, "ec2", len(f.clouds))
	f.everywhere(t)
	f.ec2.throttle(false)
	f.well(t, "ec2")
}

// revoked takes every credential away at once, the one for Consul included. Nothing is lost, and once there are others,
// changes are seen again.
func (f *faults) revoked(t *testing.T) {
	const rotated = "another canary"
	f.nomad.Revoke(f.nomadToken)
	f.nomad.CutStreams()
	f.aws.PutUserPolicy("sluice", testenv.Allow("s3:GetObject", "*"))
	f.vc.SetPassword(rotated)
	f.vc.RevokeSessions(t)
	f.consul.DeleteToken(f.token)
	for kind, n := range map[string]int{"nomad": len(f.allocs), "ec2": len(f.clouds), "vsphere": len(f.vms)} {
		f.fails(t, kind, n)
	}
	f.everywhere(t)
	f.aws.PutUserPolicy("sluice", policies.EC2)
	f.give(t, rotated)
	writeFile(t, f.plane.dir, "token", f.consul.CreateToken(catalogpolicies.Reader("sluice/")+catalogpolicies.Writer("sluice/")))
	for _, kind := range []string{"nomad", "ec2", "vsphere"} {
		f.well(t, kind)
	}
	f.vms = append(f.vms, f.vm(t, f.next()))
	f.allocs = append(f.allocs, f.alloc(t, fmt.Sprint(f.next())))
	f.clouds = append(f.clouds, f.cloud(t, fmt.Sprintf("cloud-%d", f.next())))
	f.bares = append(f.bares, f.bare(t, fmt.Sprintf("bare-%d", f.next()), nil))
}
