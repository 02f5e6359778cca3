package main

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"
)

const (
	loadConnections = 8
	loadTime        = 250 * time.Millisecond
)

// load sends requests on several connections for a while, one at a time on each, and returns requests a second.
func (s *stage) load(port int, req []byte) float64 {
	n, took := s.drive(probing(port, req))
	return float64(n) / took.Seconds()
}

// caller is one client: call makes a request and waits for the answer. It stays on one thread.
type caller struct {
	call func() error
	end  func()
}

// probing makes callers that send the same request over a connection of their own, and want 200.
func probing(port int, req []byte) func() caller {
	return func() caller {
		p := newProber("127.0.0.1:" + strconv.Itoa(port))
		return caller{end: p.close, call: func() error {
			status, err := p.get(req)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("answered with %d", status)
			}
			return err
		}}
	}
}

// drive lets callers call for a while, and returns how often and for how long.
func (s *stage) drive(newCaller func() caller) (calls int, took time.Duration) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	start := time.Now()
	for range loadConnections {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			c := newCaller()
			defer c.end()
			n, err := 0, error(nil)
			for time.Since(start) < loadTime && err == nil {
				err = c.call()
				n++
			}
			mu.Lock()
			defer mu.Unlock()
			calls += n
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	s.must(failed)
	return calls, time.Since(start)
}

// loaded is one way to send requests, and what its rounds have cost.
type loaded struct {
	caller func() caller
	envoy  int // process

	cpu, rate []float64 // µs of Envoy for a request; requests a second
}

// compare drives several ways in turn, in short rounds: what else runs on the machine meets all of them alike. The first
// round of each is a warm-up.
func (s *stage) compare(rounds int, ways ...*loaded) {
	for _, w := range ways {
		s.drive(w.caller)
	}
	for round := range rounds {
		for n := range ways {
			w := ways[(n+round)%len(ways)] // none is always the first
			before := s.cpuOf(w.envoy)
			calls, took := s.drive(w.caller)
			used := s.cpuOf(w.envoy) - before
			w.cpu = append(w.cpu, float64(used.Nanoseconds())/1000/float64(calls))
			w.rate = append(w.rate, float64(calls)/took.Seconds())
		}
	}
}

// against is the median of the rounds' ratios.
func against(a, b []float64) float64 {
	all := make([]float64, len(a))
	for i := range all {
		all[i] = a[i] / b[i]
	}
	return median(all)
}
