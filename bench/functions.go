package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

const functionRoutes = 5000

// manyFunctions measures what 5,000 routes to functions take of Envoy and how soon they are live, and how soon one changed
// function is: in one table of the listener, and in tables by the first segment of the path.
func manyFunctions(s *stage) {
	var few memory
	s.part(func(s *stage) { few = s.functionRig(len(functionKinds), "").memory() })
	const name = "5,000 functions of four kinds"
	s.part(func(s *stage) {
		r := s.functionRig(functionRoutes, "")
		many := r.memory()
		s.note(Entry{Name: name + ", from cold until each kind is served", Unit: "ms", Value: ms(r.live)})
		s.note(Entry{Name: name + ": added resident memory of Envoy", Unit: "MB", Value: many.resident - few.resident})
		s.note(Entry{Name: name + ": added heap of Envoy", Unit: "MB", Value: many.heap - few.heap})
		s.note(Entry{Name: name + ": resident memory of the control plane", Unit: "MB", Value: s.memory(r.plane.pid)})
		r.changes(name)
	})
	s.part(func(s *stage) { s.functionRig(functionRoutes, `scope = "first_segment"`).changes(name + ", scoped") })
}

type memory struct{ resident, heap float64 } // MB

// functionRig is a control plane with routes to functions, and an Envoy that serves them.
type functionRig struct {
	s     *stage
	plane *child
	edge  *testenv.Envoy
	probe *prober
	live  time.Duration // from the start of both until a route of each kind was served
	n     int           // of the last change

	reading time.Duration // processor time of the control plane for documents
}

func (s *stage) functionRig(routes int, listener string) *functionRig {
	up, service := s.role("upstream"), s.role("service")
	sim := testenv.StartLambdaSimulator(s, testenv.LambdaSimulatorOptions{})
	port := testenv.FreePort(s)
	start := time.Now()
	r := &functionRig{s: s, probe: s.prober(port)}
	r.plane = s.role("functions", "-n", strconv.Itoa(routes), "-port", strconv.Itoa(port),
		"-upstream", "127.0.0.1:"+up.word, "-service", service.word, "-lambda", sim.Endpoint, "-listener", listener)
	r.edge = s.edge(r.plane.word)
	for n := routes - len(functionKinds); n < routes; n++ {
		want := http.StatusOK
		if n%len(functionKinds) == 2 {
			want = http.StatusBadGateway // the platform has no such function, and says so
		}
		s.awaitStatus(r.probe, request(hostName(n/perHost), functionPath(n)), want)
	}
	r.live = time.Since(start)
	s.Logf("%d routes are live after %s", routes, r.live.Round(time.Millisecond))
	return r
}

func (r *functionRig) memory() memory {
	r.edge.WaitReady(r.s)
	var heap struct{ Allocated string }
	r.s.must(json.Unmarshal(r.edge.Get(r.s, "/memory"), &heap))
	bytes, err := strconv.ParseFloat(heap.Allocated, 64)
	r.s.must(err)
	return memory{r.s.memory(int(r.edge.Process)), bytes / (1 << 20)}
}

// changes moves one operation to another path, again and again.
func (r *functionRig) changes(name string) {
	s := r.s
	if s.settings.profile != "" {
		r.plane.ask("profile " + filepath.Join(s.settings.profile, "functions.pprof"))
	}
	plane, envoy := r.plane.cpu(), s.cpuOf(int(r.edge.Process))
	all := (&rig{s: s}).inTurn(r.once)
	each := float64(s.settings.samples + 1)
	plane, envoy = r.plane.cpu()-plane, s.cpuOf(int(r.edge.Process))-envoy
	if s.settings.profile != "" {
		r.plane.ask("end")
	}
	s.note(Entry{Name: name + ", one changed, p50", Unit: "ms", Value: all[0].p50()})
	s.note(Entry{Name: name + ", one changed, p99", Unit: "ms", Value: all[0].p99()}.atMost(150))
	s.note(Entry{Name: name + ", one changed: lost", Unit: fmt.Sprintf("of %d", s.settings.samples), Value: float64(all[0].lost)}.atMost(0))
	s.note(Entry{Name: name + ", one changed: CPU of the control plane", Unit: "ms", Value: ms(plane) / each}.over(ms(r.reading) / each))
	s.note(Entry{Name: name + ", one changed: CPU of Envoy", Unit: "ms", Value: ms(envoy) / each})
}

// once changes a function. The clock starts when the finder has read the new document.
func (r *functionRig) once() (time.Duration, error) {
	r.n++
	before := r.plane.cpu()
	if err := r.tell(fmt.Sprintf("read %d", r.n)); err != nil {
		return 0, err
	}
	r.reading += r.plane.cpu() - before
	path := fmt.Sprintf("/team-00/changed/%06d/x", r.n)
	return r.probe.change(func() error { return r.tell("update") }, request(hostName(0), path), is(http.StatusOK))
}

func (r *functionRig) tell(line string) error {
	if said := r.plane.ask(line); said != "done" {
		return fmt.Errorf("tell the control plane to %s: %s", line, said)
	}
	return nil
}
