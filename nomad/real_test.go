package nomad

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
)

// agent is a real Nomad behind a proxy that breaks. Its services are those of a job that sleeps.
type agent struct {
	t     *testing.T
	api   *api.Client
	job   string
	proxy *fault.Proxy
}

// Set scales the job; allocations with lower numbers stay.
func (a *agent) Set(n int) {
	a.proxy.Set(fault.Pass)
	group := api.NewTaskGroup("g", n)
	group.Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}}
	group.Services = []*api.Service{{Name: a.job, PortLabel: "http", Provider: "nomad", Tags: []string{"test"}}}
	driver := os.Getenv("SLUICE_NOMAD_DRIVER")
	if driver == "" {
		driver = "raw_exec"
	}
	task := api.NewTask("sleep", driver)
	if driver == "mock_driver" {
		task.SetConfig("run_for", "1h")
	} else {
		task.SetConfig("command", "sleep").SetConfig("args", []string{"3600"})
	}
	job := api.NewServiceJob(a.job, a.job, "", 50).AddTaskGroup(group.AddTask(task))
	job.Datacenters = []string{"*"}
	if _, _, err := a.api.Jobs().Register(job, nil); err != nil {
		a.t.Errorf("register the job %s: %v", a.job, err)
	}
}

func (a *agent) Fail() { a.proxy.Set(fault.Cut) }

func (a *agent) Hang() { a.proxy.Set(fault.Freeze) }

// TestRealNomad runs the suite against the agent that NOMAD_ADDR names, over plain HTTP, where it names one: by events,
// and by lists as where a stream cannot be had. It registers jobs of its own and purges them.
func TestRealNomad(t *testing.T) {
	address := os.Getenv("NOMAD_ADDR")
	if address == "" {
		return // TestSourceByEvents and TestSourceByLists run the same suite against the simulator
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		t.Fatalf("NOMAD_ADDR is %q; the test breaks the connection, and needs plain HTTP for that", address)
	}
	operator, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, streams := range []bool{true, false} {
		t.Run(fmt.Sprintf("streams %t", streams), func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Suite{
				Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
					a := &agent{t: t, api: operator, job: fmt.Sprintf("sluice-test-%d", time.Now().UnixNano()), proxy: fault.NewProxy(t, u.Host)}
					t.Cleanup(func() {
						if _, _, err := operator.Jobs().Deregister(a.job, true, nil); err != nil {
							t.Error(err)
						}
						operator.Close()
					})
					a.Set(2)
					cfg, err := Config{Addresses: []string{"http://" + a.proxy.Address}, pace: quickly(streams)}.WithEnv(nil)
					if err != nil {
						t.Fatal(err)
					}
					c, err := newClient(cfg)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(c.Close)
					return afterTwo{c.Service(Spec{Service: a.job}), c, cfg.Namespace, a.job}, a
				},
				Patience: time.Minute,
			})
		})
	}
}

// quickly is a pace for a real agent, whose heartbeats come every 30 s.
func quickly(streams bool) pace {
	p := pace{}.orDefault()
	p.call, p.open, p.wait, p.retries = 5*time.Second, 5*time.Second, 5*time.Second, time.Second
	p.silence = 35 * time.Second
	if !streams {
		p.open, p.retry = time.Nanosecond, time.Hour
	}
	return p
}

// afterTwo is a source that begins when its two allocations run: a scheduler takes its time, and the suite wants a first
// answer with both.
type afterTwo struct {
	discovery.Source
	c         *Client
	namespace string
	service   string
}

// Run implements discovery.Source.
func (a afterTwo) Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error {
	for {
		_, rows, err := a.c.instances(ctx, scope{namespace: a.namespace}, a.service)
		if err != nil {
			return err
		}
		if len(rows) >= 2 {
			return a.Source.Run(ctx, update, alive)
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}
