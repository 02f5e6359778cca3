package ec2

import (
	"context"
	"io"
	"maps"
	"runtime"
	"slices"
	"strconv"
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

// perRound is the processor time of one round since then, in milliseconds.
func perRound(b *testing.B, began time.Duration) float64 {
	return float64((cpu() - began).Microseconds()) / 1000 / float64(b.N)
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

const manyInstances = 10_000

// many is a fleet whose instances have ten tags each.
func many() []row {
	rows := numbered(manyInstances)
	for i := range rows {
		for n := range 8 {
			rows[i].tags["tag-"+strconv.Itoa(n)] = "value-" + strconv.Itoa(i%100)
		}
		rows[i].kind = "c7g.large"
	}
	return rows
}

// pagesOf are the answers for a fleet, made once: what they cost is not the source's.
func pagesOf(rows []row) (pages []string) {
	f := &fake{detail: detail}
	for first := 0; first < len(rows); first += pageSize {
		_, body := f.page("DescribeInstances", nil, rows, first, pageSize)
		pages = append(pages, body)
	}
	return pages
}

// BenchmarkInstances is one interval at rest, the first answer, and one change, of 10,000 instances, without the network.
func BenchmarkInstances(b *testing.B) {
	rows := many()
	before := pagesOf(rows)
	size := 0
	for _, p := range before {
		size += len(p)
	}
	rows = slices.Delete(rows, 5000, 5001)
	after := pagesOf(rows)
	read := func(pages []string, k known) (out known, all []*instance) {
		out = known{}
		for _, body := range pages {
			p, _, err := readBy(b, clientBy(body, func(r io.Reader) io.Reader { return r }), k)
			if err != nil {
				b.Fatal(err)
			}
			maps.Copy(out, p.seen)
			all = append(all, p.instances...)
		}
		return out, all
	}
	idle, _ := read(before, known{})
	source := &source{spec: *shop(""), wants: shop("").selection()}
	b.Run("first", func(b *testing.B) {
		began := cpu()
		for b.Loop() {
			read(before, known{})
		}
		b.ReportMetric(perRound(b, began), "cpu-ms")
		b.ReportMetric(float64(size)/(1<<20), "MB-of-XML")
	})
	b.Run("rest", func(b *testing.B) {
		began := cpu()
		for b.Loop() {
			_, all := read(before, idle)
			if e, err := source.endpoints(word{listing: &listing{instances: all}}); err != nil || len(e) != manyInstances {
				b.Fatal(len(e), err)
			}
		}
		b.ReportMetric(perRound(b, began), "cpu-ms")
		b.ReportMetric(perRound(b, began)/float64(usualInterval.Milliseconds())*100, "%-of-a-core")
	})
	b.Run("change", func(b *testing.B) {
		began := cpu()
		for b.Loop() {
			if _, all := read(after, idle); len(all) != manyInstances-1 {
				b.Fatal(len(all))
			}
		}
		b.ReportMetric(perRound(b, began), "cpu-ms")
	})
}

// BenchmarkSource is the whole: a source at work against the fake over HTTP. It reports the memory that stays, and the
// calls.
func BenchmarkSource(b *testing.B) {
	f := startFake(b)
	f.detail = detail
	f.put(many()...)
	opts := hasty(b)
	opts.Timeout = time.Minute
	opts.pace = usualPace
	for b.Loop() {
		empty := heap()
		calls := f.called("DescribeInstances")
		s := shop(f.URL)
		s.Interval = 5 * time.Second
		source := opened(b, Kind(opts), s)
		ctx, stop := context.WithCancel(context.Background())
		answers := make(chan []gateway.Endpoint, 100)
		done := make(chan error, 1)
		began := time.Now()
		go func() { done <- source.Run(ctx, func(e []gateway.Endpoint) { answers <- e }, func() {}) }()
		first := <-answers
		b.ReportMetric(time.Since(began).Seconds(), "s-to-first")
		<-answers
		b.ReportMetric(float64(f.called("DescribeInstances")-calls)/2, "calls/interval")
		<-answers
		b.ReportMetric(heap()-empty, "MB-kept")
		if len(first) != manyInstances {
			b.Fatal(len(first))
		}
		stop()
		<-done
		runtime.KeepAlive(source)
	}
}
