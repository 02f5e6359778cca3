package kubernetes

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// fill makes services of 100 slices of 100 pods altogether.
func fill(put func(object), services int) {
	for i := range 100 {
		var pods []object
		for j := range 100 {
			pods = append(pods, pod(fmt.Sprintf("shop-6d5f7b9c8-%05d", i*100+j), fmt.Sprintf("10.%d.%d.%d", i, j, 1)))
		}
		put(sliceOf(fmt.Sprint("shop-", i%services), fmt.Sprint("slice-", i), "IPv4", portOf("http", 8080), pods...))
	}
}

// running is a source at work, with what it said last.
func running(b *testing.B, source interface {
	Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error
}) (said chan []gateway.Endpoint, stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	said = make(chan []gateway.Endpoint, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = source.Run(ctx, func(e []gateway.Endpoint) { said <- e }, func() {}) // it ends with ctx
	}()
	return said, func() { cancel(); <-done }
}

// BenchmarkEndpoints is 10,000 endpoints of one service: the first answer with the memory that stays, and one change,
// against the fake over HTTP, whose own work is in it.
func BenchmarkEndpoints(b *testing.B) {
	f := startFake(b)
	fill(f.put, 1)
	k := Kind(Options{Clients: []*Client{clientOf(b, f, "")}})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			said, stop := running(b, open(b, k, &Spec{Service: "shop-0"}))
			<-said
			stop()
		}
	})
	b.Run("change", func(b *testing.B) {
		before := heap()
		said, stop := running(b, open(b, k, &Spec{Service: "shop-0"}))
		endpoints := <-said
		kept := heap() - before
		if len(endpoints) != 10_000 {
			b.Fatal(len(endpoints))
		}
		began := cpu()
		for i := 0; b.Loop(); i++ {
			f.put(sliceOf("shop-0", "more", "IPv4", portOf("http", 8080), pod("more", "10.200.0.1", ready(i%2 == 0, false))))
			endpoints = <-said
		}
		b.ReportMetric(float64((cpu()-began).Microseconds())/1000/float64(b.N), "cpu-ms")
		b.ReportMetric(kept, "MB")
		runtime.KeepAlive(endpoints)
		stop()
		f.remove("default/more")
	})
}

// BenchmarkRealRest is forty services with a block each, of a hundred with 10,000 endpoints on a real API server, at rest: memory and the
// processor time of this process, which has nothing else to do.
func BenchmarkRealRest(b *testing.B) {
	c := startCluster(b)
	fill(c.put, 100)
	k := Kind(Options{Clients: []*Client{c.client(c.token)}})
	before := heap()
	var all []chan []gateway.Endpoint
	for i := range 40 {
		said, stop := running(b, open(b, k, &Spec{Service: fmt.Sprint("shop-", i)}))
		defer stop()
		all = append(all, said)
	}
	for _, said := range all {
		<-said
	}
	kept := heap() - before
	for b.Loop() {
		began := cpu()
		<-time.After(20 * time.Second)
		b.ReportMetric(float64(cpu()-began)/float64(20*time.Second)*100, "%-of-a-core")
		b.ReportMetric(kept, "MB")
	}
}
