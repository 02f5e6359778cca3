package main

import (
	"context"
	"flag"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/bench/floor"
)

// upstreamRole is what every route leads to: a server that answers as fast as it can.
func upstreamRole([]string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ready(portOf(l))
	go func() { _ = serveUpstream(l, upstreamAnswer) }()
	serve(func(string) string { return "" })
	return nil
}

func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String()) // a listener's address has one
	return port
}

func floorRole(args []string) error {
	f := flag.NewFlagSet("floor", flag.ContinueOnError)
	address, ca := f.String("consul", "", "address"), f.String("ca", "", "file of the authority; empty: in the clear")
	key, service := f.String("key", "", "of the paths"), f.String("service", "", "of the endpoints")
	if err := f.Parse(args); err != nil {
		return err
	}
	cfg := api.Config{Address: *address, Scheme: "http", Transport: &http.Transport{MaxIdleConnsPerHost: 2}}
	if *ca != "" {
		cfg.Scheme, cfg.TLSConfig.CAFile = "https", *ca
	}
	consul, err := api.NewClient(&cfg)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ready(portOf(l))
	go serve(func(string) string { return "" })
	return floor.Serve(context.Background(), l, floor.Options{Consul: consul, Key: *key, Service: *service})
}

// profiled starts a CPU profile into a file at the line "profile FILE", and ends it at "end"; "heap FILE" writes what the
// heap holds.
func profiled(line string) string {
	word, file, _ := strings.Cut(line, " ")
	if word == "end" {
		pprof.StopCPUProfile()
		return "ended"
	}
	f, err := os.Create(file)
	if err != nil {
		return err.Error()
	}
	if word == "heap" {
		defer f.Close()
		runtime.GC()
		err = pprof.WriteHeapProfile(f)
	} else {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		return err.Error()
	}
	return "done"
}
