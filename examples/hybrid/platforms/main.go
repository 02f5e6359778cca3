// Command platforms is what a company has besides Consul, on this machine: a simulated vCenter with virtual machines, a
// simulated Nomad with a job, a simulator of AWS with instances of EC2, and the calculator that runs on each of them.
// None of it knows of sluice.
//
//	GET  /                          where everything is, and who has answered how often
//	POST /machines/NAME/off         the power of a virtual machine: the calculator on it ends with it
//	POST /machines/NAME/on
//	POST /jobs/calculator/deploy    each allocation is replaced, one after the other
//	POST /instances/NAME/terminate  an instance of EC2 ends
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	control := flag.String("listen", "127.0.0.1:9100", "where what runs is told, and changed")
	machines := flag.Int("machines-port", 9200, "port of the calculator on virtual machines, which have addresses of their own")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := newProcess(ctx)
	err := run(ctx, p, *control, *machines)
	p.end()
	if err != nil {
		fmt.Fprintln(os.Stderr, "platforms:", err)
		os.Exit(2)
	}
}

// run starts everything and serves until ctx ends.
func run(ctx context.Context, p *process, control string, machines int) error {
	e, err := startEstate(ctx, p, machines)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { answer(w, e.told(), nil) })
	mux.HandleFunc("POST /machines/{name}/{state}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, e.power(r.PathValue("name"), r.PathValue("state")))
	})
	mux.HandleFunc("POST /jobs/calculator/deploy", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil, e.deploy()) })
	mux.HandleFunc("POST /instances/{name}/terminate", func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, e.terminate(r.Context(), r.PathValue("name")))
	})
	s := &http.Server{Addr: control, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer done()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve at %s: %w", control, err)
	}
	return nil
}

func answer(w http.ResponseWriter, body any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusConflict)
		body = map[string]string{"error": err.Error()}
	}
	if body == nil {
		body = map[string]bool{"done": true}
	}
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
