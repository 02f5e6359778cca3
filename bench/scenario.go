package main

import (
	"fmt"
	"runtime/debug"
	"time"
)

// scenario is one measurement, or several that share what they start.
type scenario struct {
	name, about string
	run         func(*stage)
}

// scenarios in the order in which they run and stand in the results.
var scenarios = []scenario{
	{"routes-small", "KV put to a new route served, 10 routes; two changes 20 ms apart", routesSmall},
	{"routes-large", "the same at 10,000 routes: 100 folders of 100 documents, 100 hosts", routesLarge},
	{"health-small", "an endpoint comes and goes, 10 services", healthSmall},
	{"health-large", "the same at 5,000 services, 75,000 endpoints, Consul over TLS", healthLarge},
	{"nomad", "an instance of Nomad comes, 10,000 services beside; what waiting costs", nomadSource},
	{"vsphere", "a virtual machine is powered on, 100 machines beside; what waiting costs", vsphereSource},
	{"fanout", "one endpoint of 5,000 services changes, 100 clients are connected", fanout},
	{"cost", "what Envoy's 10,000th route costs beside a lone one", cost},
	{"throughput", "requests a second through sluice's configuration and hand-written ones", throughput},
	{"sticky", "a canary that keeps clients on a share beside one that draws, and its memory", sticky},
	{"pages", "JSON becomes HTML: a small body beside plain proxying, a long one beside Envoy's transform filter", pages},
	{"lambda", "a Lambda through sluice's configuration beside the same simulator called directly", lambdaCalls},
	{"transcoding", "JSON over HTTP to a gRPC method beside native gRPC", transcoding},
	{"functions", "5,000 routes to functions of four kinds; one function changes", manyFunctions},
	{"rotation", "credentials are exchanged in Vault while Lambdas are called", rotation},
}

// measure runs a scenario on a stage of its own, and returns what it has noted, also when it failed on the way.
func (s scenario) measure(o settings, root string) (entries []Entry, err error) {
	st := newStage(s.name, o, root)
	start := time.Now()
	defer func() {
		r := recover()
		if f, ok := r.(stageFailure); ok {
			err = f
		} else if r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
		st.failed = err != nil
		st.end()
		st.Logf("took %s", time.Since(start).Round(time.Second))
		entries = st.entries
	}()
	s.run(st)
	return nil, nil
}
