package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// calculator is one instance of the service: GET /divide/6/3 answers {"result":2,"served_by":"vm-1"}.
type calculator struct {
	Name     string `json:"name"`
	Platform string `json:"platform"`
	Address  string `json:"address"`
	Running  bool   `json:"running"`
	Answered int64  `json:"answered"`

	id       string // that the platform gave it
	answered atomic.Int64
	server   *http.Server
}

// start serves at an address until stop.
func (c *calculator) start(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("start the calculator %s: %w", c.Name, err)
	}
	c.Address, c.Running = l.Addr().String(), true
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /divide/{a}/{b}", c.divide)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = c.server.Serve(l) }() // it ends with stop
	return nil
}

// stop ends as a machine does that loses its power.
func (c *calculator) stop() {
	c.Running = false
	_ = c.server.Close() // what is under way is cut
}

func (c *calculator) port() int {
	_, port, _ := net.SplitHostPort(c.Address) // it listens there
	n, _ := strconv.Atoi(port)
	return n
}

func (c *calculator) divide(w http.ResponseWriter, r *http.Request) {
	c.answered.Add(1)
	w.Header().Set("Content-Type", "application/json")
	a, errA := strconv.ParseFloat(r.PathValue("a"), 64)
	b, errB := strconv.ParseFloat(r.PathValue("b"), 64)
	if errA != nil || errB != nil || b == 0 {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "that cannot be divided", "served_by": c.Name})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"result": a / b, "served_by": c.Name}) // the client may be gone
}
