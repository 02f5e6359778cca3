// Command bench takes every figure that is published of sluice, and the bound and the peer beside it, in one run.
//
// A newcomer's map:
//
//   - main.go, scenario.go: the list of scenarios, and how one is run; stage.go: what starts and ends with it.
//   - results.go, table.go: bench/results.json, and the table in docs/performance.md that is made of it.
//   - probe.go, load.go: the client that waits for a change to be served, and the one that puts on load.
//   - documents.go: sluice and an Envoy on documents on disk.
//   - process.go, sluice.go, roles.go: processes of their own for what is measured, and what they cost.
//   - world.go: documents and services in the sizes that are measured.
//   - routes.go, health.go, fanout.go, cold.go, cost.go, throughput.go, peer.go: a file a scenario.
//   - pages.go, lambda.go, transcoding.go, functions.go, rotation.go: likewise, of what calls functions;
//     functionworld.go: thousands of them.
//   - floor/: the least that lies between Consul and Envoy. stack/: sluice's own rooms, put together without a Consul.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == roleArg {
		os.Exit(runRole(os.Args[2:]))
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	samples int    // changes measured for each latency
	sluice  string // the binary
	results string
	docs    string
	profile string // directory of CPU profiles; empty: none
}

func run() error {
	var o settings
	only := flag.String("run", "", "run only scenarios whose name matches this expression, and keep the other results")
	list := flag.Bool("list", false, "print the scenarios and do nothing")
	flag.IntVar(&o.samples, "n", 25, "changes measured for each latency")
	flag.StringVar(&o.sluice, "sluice", "bin/sluice", "the binary to measure")
	flag.StringVar(&o.results, "results", "bench/results.json", "file of results; empty writes none")
	flag.StringVar(&o.docs, "docs", "docs/performance.md", "page whose table is written anew; empty writes none")
	flag.StringVar(&o.profile, "profile", "", "write profiles of what is measured without a Consul to this directory")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("read -run: %w", err)
	}
	if *list {
		for _, s := range scenarios {
			fmt.Printf("%-12s %s\n", s.name, s.about)
		}
		return nil
	}
	root, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(root)
	removeOnSignal(root)

	var failed []error
	var measured []Entry
	for _, s := range scenarios {
		if !pattern.MatchString(s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "== %s: %s\n", s.name, s.about)
		entries, err := s.measure(o, root)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", s.name, err)
		}
		for _, e := range entries {
			fmt.Fprintln(os.Stderr, "  ", e)
		}
		measured = append(measured, entries...)
	}
	if err := publish(o, measured); err != nil {
		return err
	}
	return errors.Join(failed...)
}

// removeOnSignal leaves nothing behind when somebody has seen enough. Children end with this process.
func removeOnSignal(root string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-c
		_ = os.RemoveAll(root)
		os.Exit(130)
	}()
}
