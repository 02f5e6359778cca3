// Command statistics is a gRPC service of the migration example: it counts calculations. It offers server reflection,
// by which sluice finds its methods, and knows nothing of HTTP or JSON.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	statistics "github.com/sluice-gateway/sluice/examples/migration/statistics/statisticsv1"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9003", "address to serve at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "statistics:", err)
		os.Exit(2)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	statistics.RegisterStatisticsServer(s, &counter{counts: map[string]int32{}})
	reflection.Register(s)
	defer context.AfterFunc(ctx, s.GracefulStop)()
	return s.Serve(l)
}

// counter implements the service.
type counter struct {
	statistics.UnimplementedStatisticsServer

	mu     sync.Mutex
	counts map[string]int32
}

func (c *counter) Record(_ context.Context, r *statistics.RecordRequest) (*statistics.Count, error) {
	if r.Operation == "" || r.Times < 0 {
		return nil, status.Error(codes.InvalidArgument, "an operation, and a number of times that is not negative, are needed")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[r.Operation] += cmp.Or(r.Times, 1)
	return &statistics.Count{Operation: r.Operation, Count: c.counts[r.Operation]}, nil
}

func (c *counter) Get(_ context.Context, r *statistics.GetRequest) (*statistics.Count, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, known := c.counts[r.Operation]
	if !known {
		return nil, status.Errorf(codes.NotFound, "no calculation %q was recorded", r.Operation)
	}
	return &statistics.Count{Operation: r.Operation, Count: n}, nil
}

func (c *counter) List(_ *statistics.ListRequest, stream statistics.Statistics_ListServer) error {
	c.mu.Lock()
	counts := maps.Clone(c.counts)
	c.mu.Unlock()
	for _, operation := range slices.Sorted(maps.Keys(counts)) {
		if err := stream.Send(&statistics.Count{Operation: operation, Count: counts[operation]}); err != nil {
			return err
		}
	}
	return nil
}
