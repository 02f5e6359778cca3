package main

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"time"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// nomadEvents reads the stream of service events, and nothing else.
func (s *stage) nomadEvents(address string) bareEvents {
	e := bareEvents{make(chan time.Time, 1000)}
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, address+"/v1/event/stream?topic=Service", nil)
	s.must(err)
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	go func() {
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if bytes.Contains(lines.Bytes(), []byte(`"live-`)) {
				e.arrived <- time.Now()
			}
		}
	}()
	return e
}

// vsphereEvents waits for the power state of one machine, among all that the account sees: the simulated vCenter looks at
// them all again for each event, whoever waits.
func (s *stage) vsphereEvents(v *testenv.VCenter, vm string) bareEvents {
	e := bareEvents{make(chan time.Time, 1000)}
	at := &url.URL{Scheme: "https", Host: v.Address, Path: vim25.Path}
	transport := soap.NewClient(at, false)
	s.must(transport.SetRootCAs(v.CAFile))
	c, err := vim25.NewClient(s.ctx, transport)
	s.must(err)
	s.must(session.NewManager(c).Login(s.ctx, url.UserPassword(v.Username, v.Password)))
	own, err := property.DefaultCollector(c).Create(s.ctx) // another session's events go to that one's collector
	s.must(err)
	all, err := view.NewManager(c).CreateContainerView(s.ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	s.must(err)
	filter := new(property.WaitFilter).Add(all.Reference(), "VirtualMachine", []string{"runtime.powerState"}, all.TraversalSpec())
	go func() {
		_ = property.WaitForUpdatesEx(s.ctx, own, filter, func(updates []types.ObjectUpdate) bool {
			for _, u := range updates {
				if u.Obj.Value == vm {
					e.arrived <- time.Now()
				}
			}
			return false
		})
	}()
	return e
}
