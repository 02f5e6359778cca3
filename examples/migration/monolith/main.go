// Command monolith is the calculator that the migration example takes apart. It tells what it can do in an OpenAPI
// document at /openapi.json.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

//go:embed openapi.json
var document []byte

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address to serve at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "monolith:", err)
		os.Exit(2)
	}
}

// run serves until ctx ends, and then answers what is under way.
func run(ctx context.Context, listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		_ = s.Shutdown(grace) // what is still under way after the grace is cut
	})
	err = s.Serve(l)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

var operations = map[string]func(a, b float64) (float64, error){
	"add":      func(a, b float64) (float64, error) { return a + b, nil },
	"subtract": func(a, b float64) (float64, error) { return a - b, nil },
	"multiply": func(a, b float64) (float64, error) { return a * b, nil },
	"divide": func(a, b float64) (float64, error) {
		if b == 0 {
			return 0, errors.New("nothing can be divided by zero")
		}
		return a / b, nil
	},
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-type", "application/json")
		_, _ = w.Write(document) // fails when the client is gone
	})
	mux.HandleFunc("GET /{operation}/{a}/{b}", calculate)
	mux.HandleFunc("GET /table/{n}", table)
	mux.HandleFunc("POST /api/average", average)
	return mux
}

func calculate(w http.ResponseWriter, r *http.Request) {
	operation := r.PathValue("operation")
	f := operations[operation]
	if f == nil {
		reply(w, http.StatusNotFound, map[string]any{"error": "there is no operation " + strconv.Quote(operation)})
		return
	}
	a, errA := strconv.ParseFloat(r.PathValue("a"), 64)
	b, errB := strconv.ParseFloat(r.PathValue("b"), 64)
	if errors.Join(errA, errB) != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": "both operands are numbers"})
		return
	}
	result, err := f(a, b)
	if err != nil {
		reply(w, http.StatusUnprocessableEntity, map[string]any{"error": err.Error()})
		return
	}
	reply(w, http.StatusOK, map[string]any{"operation": operation, "a": a, "b": b, "result": result})
}

// table is the times table of a number.
func table(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < -1000 || n > 1000 {
		reply(w, http.StatusBadRequest, map[string]any{"error": "a whole number from -1000 to 1000 is needed"})
		return
	}
	rows := make([]map[string]int, 10)
	for i := range rows {
		rows[i] = map[string]int{"times": i + 1, "product": (i + 1) * n}
	}
	reply(w, http.StatusOK, map[string]any{"of": n, "rows": rows})
}

func average(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Numbers []float64 `json:"numbers"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil || len(in.Numbers) == 0 {
		reply(w, http.StatusBadRequest, map[string]any{"error": `the body must be an object with a list "numbers"`})
		return
	}
	sum := 0.0
	for _, n := range in.Numbers {
		sum += n
	}
	reply(w, http.StatusOK, map[string]any{"average": sum / float64(len(in.Numbers)), "count": len(in.Numbers)})
}

func reply(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails when the client is gone
}
