package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

const (
	benchStreams = 100
	benchNames   = 5000

	fleetEnv = "SLUICE_BENCH_FLEET" // address of the server: this process is the clients
)

// BenchmarkOneEndpoint changes one endpoint of 5,000 assignments, to which 100 clients subscribe, and waits for all
// ACKs. "bare" sends the same bytes by gRPC alone. The clients are a process of their own, so that cpu-ms/op is the
// server's.
func BenchmarkOneEndpoint(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		s := &bareServer{acks: make(chan struct{}, benchStreams)}
		serveFleet(b, func(g *grpc.Server) { discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, s) })
		for range benchStreams {
			<-s.acks // subscribed
		}
		res := assignment(b, "pets-0042", 80)
		measure(b, func(int) {
			s.send(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: eds, Nonce: "1", Resources: []*discoveryv3.Resource{res.Wire("pets-0042@1")}})
			for range benchStreams {
				<-s.acks
			}
		})
	})
	b.Run("store", func(b *testing.B) {
		o := &counting{acks: make(chan int, benchStreams*10)}
		st := store.New()
		srv, err := server.New(st, server.Options{Observer: o})
		if err != nil {
			b.Fatal(err)
		}
		var all []*store.Resource
		for i := range benchNames {
			all = append(all, assignment(b, fmt.Sprintf("pets-%04d", i), 80))
		}
		st.Publish(store.Change{Set: all})
		srv.Open()
		serveFleet(b, func(g *grpc.Server) { srv.Register(g) })
		for n := 0; n < benchStreams*benchNames; {
			n += <-o.acks
		}
		changes := []*store.Resource{assignment(b, "pets-0042", 81), assignment(b, "pets-0042", 82)}
		measure(b, func(i int) {
			st.Publish(store.Change{Set: changes[i%2 : i%2+1]})
			for range benchStreams {
				<-o.acks
			}
		})
	})
}

// measure runs a change once per iteration and reports the process's CPU time.
func measure(b *testing.B, change func(i int)) {
	i := 0
	for range 5 {
		change(i)
		i++
	}
	b.ReportAllocs()
	before := cpu()
	n := 0
	for b.Loop() {
		change(i)
		i++
		n++
	}
	used := cpu() - before
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapInuse)/(1<<20), "heap-MiB")
	b.ReportMetric(used.Seconds()*1000/float64(n), "cpu-ms/op")
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// counting hears how many resources were acknowledged.
type counting struct{ acks chan int }

func (counting) Connected(server.Node)                          {}
func (counting) Disconnected(server.Node)                       {}
func (c counting) Acked(_ server.Node, k []server.Versioned)    { c.acks <- len(k) }
func (counting) Nacked(server.Node, []server.Versioned, string) {}

// bareServer knows nothing: it sends what it is given to every stream.
type bareServer struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	mu      sync.Mutex
	streams []chan *discoveryv3.DeltaDiscoveryResponse
	acks    chan struct{}
}

func (s *bareServer) send(r *discoveryv3.DeltaDiscoveryResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.streams {
		c <- r
	}
}

func (s *bareServer) DeltaAggregatedResources(g discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	c := make(chan *discoveryv3.DeltaDiscoveryResponse, 1)
	s.mu.Lock()
	s.streams = append(s.streams, c)
	s.mu.Unlock()
	go func() {
		for {
			select {
			case r := <-c:
				if g.Send(r) != nil {
					return
				}
			case <-g.Context().Done():
				return
			}
		}
	}()
	for {
		if _, err := g.Recv(); err != nil {
			return nil
		}
		s.acks <- struct{}{}
	}
}

// serveFleet serves on loopback and starts the clients.
func serveFleet(b *testing.B, register func(*grpc.Server)) {
	b.Helper()
	g, err := server.NewGRPC(server.Options{})
	if err != nil {
		b.Fatal(err)
	}
	register(g)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = g.Serve(l) }()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fleetEnv+"="+l.Addr().String())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		g.Stop()
	})
}

// fleet is the clients' process: each subscribes to all names and acknowledges everything, until standard input ends.
func fleet(addr string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := range benchStreams {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer conn.Close()
		s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
		if err != nil {
			return err
		}
		var names []string
		for n := range benchNames {
			names = append(names, fmt.Sprintf("pets-%04d@1", n))
		}
		if err := s.Send(&discoveryv3.DeltaDiscoveryRequest{
			Node: &corev3.Node{Id: fmt.Sprint(i), Cluster: "edge"}, TypeUrl: eds, ResourceNamesSubscribe: names,
		}); err != nil {
			return err
		}
		go func() {
			for {
				r, err := s.Recv()
				if err == nil {
					err = s.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: eds, ResponseNonce: r.GetNonce()})
				}
				if err != nil {
					return
				}
			}
		}()
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
