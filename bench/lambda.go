package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

const (
	lambdaRounds = 30
	lambdaCallsA = 100 // calls of a round
)

// lambdaCalls compares a call of a Lambda through sluice's configuration with the same event sent to the same simulator
// directly, over a connection that stays open.
func lambdaCalls(s *stage) {
	sim := helloLambda(s)
	port := testenv.FreePort(s)
	key := `{"access_key": "AKIABENCH", "secret_key": "bench"}`
	s.onDisk(fmt.Sprintf(listening+lambdaDocument, port, "file {\n    path = "+strconv.Quote(s.file("key.json", key))+"\n    json = true\n  }", sim.Endpoint), "")
	through, direct := s.prober(port), newProber(strings.TrimPrefix(sim.Endpoint, "http://"))
	s.Cleanup(direct.close)
	get := request(hostName(0), "/hello?name=ann")
	s.awaitStatus(through, get, http.StatusOK)
	same := invocation(s, sim)

	var ours, floor series
	var added []float64
	for round := range lambdaRounds {
		var a, b series
		for range lambdaCallsA {
			a, b = append(a, s.timed(through, get)), append(b, s.timed(direct, same))
		}
		sim.Forget()
		if round > 0 {
			ours, floor, added = append(ours, a...), append(floor, b...), append(added, a.p50()-b.p50())
		}
	}
	s.note(Entry{Name: "Lambda, call through sluice's configuration, p50", Unit: "ms", Value: ours.p50()}.over(floor.p50()))
	s.note(Entry{Name: "Lambda, call through sluice's configuration, p99", Unit: "ms", Value: ours.p99()}.over(floor.p99()))
	s.note(Entry{Name: "Lambda, added to a direct call, p50", Unit: "ms", Value: median(added)}.atMost(1))
}

// helloLambda is a simulator with one function.
func helloLambda(s *stage) *testenv.LambdaSimulator {
	sim := testenv.StartLambdaSimulator(s, testenv.LambdaSimulatorOptions{})
	sim.Put(testenv.SimulatedFunction{Name: "hello", Handler: func(context.Context, []byte) ([]byte, error) {
		return []byte(`{"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "hello"}`), nil
	}})
	return sim
}

// invocation is the bytes of the last call that reached a simulator.
func invocation(s *stage, sim *testenv.LambdaSimulator) []byte {
	all := sim.Requests()
	last := all[len(all)-1]
	if last.Method != http.MethodPost {
		s.Fatalf("the last request is no call: %s %s", last.Method, last.Target)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", last.Target, last.Host, len(last.Body))
	last.Header.Del("Content-Length")
	s.must(last.Header.Write(&b))
	return append([]byte(b.String()+"\r\n"), last.Body...)
}

// timed is how long one request takes, which has to be answered with 200.
func (s *stage) timed(p *prober, req []byte) time.Duration {
	start := time.Now()
	s.expect(p, req)
	return time.Since(start)
}

// lambdaDocument calls the function "hello" for everything; the blocks are a secret's and the simulator's address.
const lambdaDocument = `secret "aws" {
  %s
}

upstream "math" {
  lambda {
    region      = "us-east-1"
    credentials = secret.aws
    endpoint    = %q
  }
}

route "hello" {
  to { function = function.math.hello }
}
`
