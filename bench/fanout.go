package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"

	"github.com/sluice-gateway/sluice/bench/fleet"
	"github.com/sluice-gateway/sluice/bench/stack"
	"github.com/sluice-gateway/sluice/xds/server"
)

const (
	fanoutServices  = 5000
	fanoutInstances = 15
	fanoutClients   = 100
	fanoutChanges   = 200
)

// fanout measures what one changed endpoint costs a control plane that does nothing else, beside a server that sends as
// many bytes and knows nothing.
func fanout(s *stage) {
	plane := s.role("plane", "-services", strconv.Itoa(fanoutServices), "-instances", strconv.Itoa(fanoutInstances), "-folders", "0", "-each", "0")
	ours, bytes, stop := s.fanoutOf(plane, func(i int) string { return fmt.Sprintf("endpoint %d", i/2*37%fanoutServices) },
		fmt.Sprintf("subscribed %d", fanoutClients*fanoutServices))
	memory := s.memory(plane.pid)
	if s.settings.profile != "" {
		plane.ask("heap " + filepath.Join(s.settings.profile, "fanout.heap"))
	}
	stop()

	bare := s.role("bare", "-clients", strconv.Itoa(fanoutClients))
	floor, _, _ := s.fanoutOf(bare, func(int) string { return fmt.Sprintf("send %d", bytes/fanoutClients) }, "")

	s.note(Entry{Name: "one endpoint of 5,000 services, 100 clients: CPU of the control plane", Unit: "ms", Value: ours}.over(floor).atMost(2 * floor))
	s.note(Entry{Name: "one endpoint of 5,000 services, 100 clients: sent to each", Unit: "bytes", Value: float64(bytes) / fanoutClients}.atMost(4096))
	s.note(Entry{Name: "control plane, 5,000 services of 15 endpoints, 100 clients: resident memory", Unit: "MB", Value: memory}.atMost(400))
}

// fanoutOf connects the clients to a control plane, changes it again and again, and returns its processor time in
// milliseconds and the bytes sent for each change, and how to end the clients.
func (s *stage) fanoutOf(plane *child, change func(i int) string, first string) (cpu float64, bytes int, stop func()) {
	clients := s.role("fleet", "-addr", "127.0.0.1:"+plane.word, "-n", strconv.Itoa(fanoutClients))
	if first != "" {
		ms, _, _ := strings.Cut(clients.ask(first), " ")
		s.Logf("all clients have everything after %s ms", ms)
	} else {
		plane.ask("connected")
	}
	once := func(i int) {
		clients.ask("reset")
		plane.ask(change(i))
		_, text, _ := strings.Cut(clients.ask(fmt.Sprintf("responses %d", fanoutClients)), " ")
		n, err := strconv.Atoi(text)
		s.must(err)
		bytes = n
	}
	for i := range 5 {
		once(i)
	}
	if s.settings.profile != "" && first != "" {
		plane.ask("profile " + filepath.Join(s.settings.profile, "fanout.pprof"))
	}
	before := plane.cpu()
	for i := range fanoutChanges {
		once(i + 5)
	}
	used := plane.cpu() - before
	if s.settings.profile != "" && first != "" {
		plane.ask("end")
	}
	return ms(used) / fanoutChanges, bytes, func() { clients.ask("stop") }
}

// fleetRole is the clients: "subscribed N" waits for N assignments, "responses N" for N responses since "reset".
func fleetRole(args []string) error {
	f := flag.NewFlagSet("fleet", flag.ContinueOnError)
	addr, n := f.String("addr", "", "of the control plane"), f.Int("n", 1, "clients")
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	start := time.Now()
	all := fleet.Start(ctx, *addr, "edge", *n)
	ready("")
	serve(func(line string) string {
		word, rest, _ := strings.Cut(line, " ")
		number, _ := strconv.Atoi(rest) // 0 where there is none
		switch word {
		case "reset":
			all.Reset()
			return "reset"
		case "stop":
			cancel()
			return "stopped"
		}
		c, err := all.Await(2*time.Minute, func(c fleet.Counts) bool {
			switch word {
			case "subscribed":
				return c.Resources[resource.EndpointType] >= number
			case "hosts":
				return c.Resources[resource.VirtualHostType] >= number
			}
			return c.Responses >= number
		})
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%d %d", time.Since(start).Milliseconds(), c.Bytes)
	})
	return nil
}

// bareRole is the floor of fanout.
func bareRole(args []string) error {
	f := flag.NewFlagSet("bare", flag.ContinueOnError)
	n := f.Int("clients", 1, "clients")
	if err := f.Parse(args); err != nil {
		return err
	}
	b := fleet.NewBare()
	rpc, err := server.NewGRPC(server.Options{})
	if err != nil {
		return err
	}
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(rpc, b)
	return serveOn(rpc, func(line string) string {
		if line == "connected" {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for b.Streams() < *n {
				<-tick.C
			}
			return "connected"
		}
		size, _ := strconv.Atoi(strings.TrimPrefix(line, "send ")) // written by this program
		b.Send(size)
		return "sent"
	})
}

func serveOn(rpc *grpc.Server, answer func(string) string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = rpc.Serve(l) }()
	ready(portOf(l))
	serve(answer)
	return nil
}

// planeRole is sluice's control plane with inputs from memory: "endpoint N" changes one endpoint of service N, "route N"
// one route.
func planeRole(args []string) error {
	f := flag.NewFlagSet("plane", flag.ContinueOnError)
	services, instances := f.Int("services", 0, "services"), f.Int("instances", 1, "endpoints of each")
	folders, each := f.Int("folders", 1, "folders"), f.Int("each", 1, "documents in each")
	port, up := f.Int("port", 1, "of the listener"), f.String("upstream", "1", "port of the upstream of all routes")
	if err := f.Parse(args); err != nil {
		return err
	}
	p, err := stack.InMemory(context.Background())
	if err != nil {
		return err
	}
	size := stack.Size{
		Base: map[string]string{"base/gateway.hcl": gatewayDocument(*port, *up)}, Documents: routeDocuments(*folders, *each),
		Static: []string{"127.0.0.1:" + *up}, Instances: *instances,
	}
	for n := range *services {
		size.Services = append(size.Services, serviceName(n))
		size.Documents["services/"+serviceName(n)+".hcl"] = serviceDocument(n)
	}
	p.Fill(size)
	ready(strconv.Itoa(p.Port))
	var flips atomic.Int64
	serve(func(line string) string {
		word, rest, _ := strings.Cut(line, " ")
		n, _ := strconv.Atoi(rest) // 0 where there is none
		switch word {
		case "endpoint":
			p.Flip(serviceName(n), n, *instances, &flips)
		case "route":
			p.Change(documentKey(*folders/2, 0), routeDocument("r-changed", hostName(*folders/2), fmt.Sprintf("/new/%06d", n)), uint64(n)+2) //nolint:gosec // small
		default:
			return profiled(line)
		}
		return "done"
	})
	return nil
}
