package nomad

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

const (
	benchServices = 10_000
	childKey      = "SLUICE_NOMAD_CHILD"
)

// TestServeNomad is the simulator in a process of its own, so that a benchmark does not count what it costs. Without a
// parent that asks for it, it does nothing. A line "N" registers or changes service N; "fill N" registers N services.
func TestServeNomad(t *testing.T) {
	if os.Getenv(childKey) == "" {
		return
	}
	n := testenv.StartNomad(t)
	fmt.Println("address", n.Addr)
	lines := bufio.NewScanner(os.Stdin)
	for port := 1; lines.Scan(); {
		if count, ok := strings.CutPrefix(lines.Text(), "fill "); ok {
			total, _ := strconv.Atoi(count)
			for i := range total {
				n.Register(n.Service(serviceName(i), fmt.Sprint("a", i), "10.0.0.1", 1))
			}
		} else if lines.Text() == "calls" {
			fmt.Println("calls", n.Calls(""))
			continue
		} else {
			i, _ := strconv.Atoi(lines.Text())
			port = port%60000 + 1
			n.Register(n.Service(serviceName(i), fmt.Sprint("a", i), "10.0.0.1", port+1))
		}
		fmt.Println("done")
	}
}

func serviceName(i int) string { return fmt.Sprintf("service-%05d", i) }

// simulator is the child process.
type simulator struct {
	in  io.Writer
	out *bufio.Scanner
}

func startSimulator(b *testing.B) (s *simulator, address string) {
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestServeNomad$", "-test.v") //nolint:gosec // this very program
	cmd.Env = append(os.Environ(), childKey+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	s = &simulator{in, bufio.NewScanner(out)}
	return s, s.answer("address")
}

func (s *simulator) answer(word string) string {
	for s.out.Scan() {
		if rest, ok := strings.CutPrefix(s.out.Text(), word); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func (s *simulator) do(line string) {
	fmt.Fprintln(s.in, line)
	s.answer("done")
}

func (s *simulator) calls() int {
	fmt.Fprintln(s.in, "calls")
	n, _ := strconv.Atoi(s.answer("calls"))
	return n
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// arrivals are the times at which the port of a service was heard of.
type arrivals struct {
	mu  sync.Mutex
	at  map[string]time.Time // SERVICE/PORT
	new chan struct{}
}

func (a *arrivals) heard(service string, port int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := net.JoinHostPort(service, strconv.Itoa(port))
	if _, ok := a.at[key]; !ok {
		a.at[key] = time.Now()
	}
	select {
	case a.new <- struct{}{}:
	default:
	}
}

func (a *arrivals) count() int { a.mu.Lock(); defer a.mu.Unlock(); return len(a.at) }

// BenchmarkServices measures 10,000 services, each wanted by a source under the Manager: what they cost at rest for
// SLUICE_REST (default 20 s), and what a change costs, against the arrival of the bare event on a stream of its own.
func BenchmarkServices(b *testing.B) {
	child, address := startSimulator(b)
	child.do(fmt.Sprint("fill ", benchServices))
	cfg, err := Config{Addresses: []string{address}}.WithEnv(noEnv)
	if err != nil {
		b.Fatal(err)
	}
	c, err := newClient(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	published := &arrivals{at: map[string]time.Time{}, new: make(chan struct{}, 1)}
	before, spent := heap(), cpu(b)
	began := time.Now()
	m := discovery.New(discovery.Options{
		Kinds: []discovery.Kind{Kind(Options{Clients: []*Client{c}})},
		Publish: func(changed map[gateway.SourceKey][]gateway.Endpoint) {
			for k, list := range changed {
				for _, e := range list {
					published.heard(k.Query, int(e.Port))
				}
			}
		},
	})
	wanted := map[gateway.SourceKey]gateway.SourceSpec{}
	for i := range benchServices {
		s := &Spec{Service: serviceName(i)}
		wanted[s.SourceKey()] = s
	}
	m.Want(wanted)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	testenv.Eventually(b, 2*time.Minute, func() error {
		if n := published.count(); n < benchServices {
			return fmt.Errorf("%d services are known", n)
		}
		return nil
	})
	b.ReportMetric(time.Since(began).Seconds(), "s-to-start")
	b.ReportMetric((cpu(b) - spent).Seconds(), "cpu-s-to-start")
	b.ReportMetric(float64(heap()-before)/(1<<20), "MB")
	rest(b, child)
	changes(b, c, child, published)
}

func rest(b *testing.B, child *simulator) {
	period, err := time.ParseDuration(orElse(os.Getenv("SLUICE_REST"), "20s"))
	if err != nil {
		b.Fatal(err)
	}
	calls, spent, began := child.calls(), cpu(b), time.Now()
	sleep(b.Context(), period)
	b.ReportMetric(float64(child.calls()-calls)/time.Since(began).Minutes(), "calls/min-at-rest")
	b.ReportMetric(float64(cpu(b)-spent)/float64(time.Since(began))*100, "%cpu-at-rest")
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func changes(b *testing.B, c *Client, child *simulator, published *arrivals) {
	const count = 1000
	bare := &arrivals{at: map[string]time.Time{}, new: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(b.Context())
	open, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		first := sync.OnceFunc(func() { close(open) })
		_ = c.stream(ctx, scope{namespace: "default"}, 1<<40, func(l batch) error {
			first()
			for _, x := range l.changes {
				bare.heard(x.reg.ServiceName, x.reg.Port)
			}
			return nil
		})
	}()
	<-open
	from, spent := published.count(), cpu(b)
	for i := range count {
		child.do(strconv.Itoa(i * 7 % benchServices))
	}
	testenv.Eventually(b, time.Minute, func() error {
		if n := published.count() - from; n < count {
			return fmt.Errorf("%d changes were published, %d heard", n, bare.count())
		}
		return nil
	})
	b.ReportMetric(float64((cpu(b)-spent).Microseconds())/count, "cpu-us/change")
	cancel()
	<-ended
	var late []time.Duration
	for key, at := range bare.at {
		if p, ok := published.at[key]; ok {
			late = append(late, p.Sub(at))
		}
	}
	slices.Sort(late)
	if len(late) > 0 {
		b.ReportMetric(float64(late[len(late)/2].Microseconds()), "us-after-event-p50")
		b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "us-after-event-p99")
	}
}
