// Command monolith is the old calculator that the example puts sluice in front of. Beside it, at an address of its own,
// it serves the first function that was taken out of it: divide, rewritten.
//
//	GET  /add/6/3        {"operation": "add", "a": 6, "b": 3, "result": 9, "served_by": "monolith"}
//	POST /api/subtract   {"a": 6, "b": 3} as JSON
//	GET  /health         200
//
// The operations are add, subtract, multiply and divide, each in both forms.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address of the monolith")
	divider := flag.String("divider", "127.0.0.1:9002", "address of the rewritten divide; empty: do not serve it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *divider); err != nil {
		fmt.Fprintln(os.Stderr, "monolith:", err)
		os.Exit(2)
	}
}

// run serves both until ctx ends, or either fails.
func run(ctx context.Context, listen, divider string) error {
	servers := []*http.Server{{Addr: listen, Handler: calculator("monolith", "add", "subtract", "multiply", "divide")}}
	if divider != "" {
		servers = append(servers, &http.Server{Addr: divider, Handler: calculator("divider", "divide")})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for _, s := range servers {
		s.ReadHeaderTimeout = 10 * time.Second
		l, err := net.Listen("tcp", s.Addr)
		if err != nil {
			cancel(err)
			break
		}
		group.Go(func() { cancel(s.Serve(l)) })
	}
	<-ctx.Done()
	grace, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	for _, s := range servers {
		_ = s.Shutdown(grace) // what is still under way after the grace is cut
	}
	group.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
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

type numbers struct {
	A *float64 `json:"a"`
	B *float64 `json:"b"`
}

type answer struct {
	Operation string  `json:"operation"`
	A         float64 `json:"a"`
	B         float64 `json:"b"`
	Result    float64 `json:"result"`
	ServedBy  string  `json:"served_by"`
}

// calculator serves some operations and says in each answer who did.
func calculator(name string, serves ...string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "fine") })
	for _, operation := range serves {
		mux.HandleFunc("GET /"+operation+"/{a}/{b}", func(w http.ResponseWriter, r *http.Request) {
			a, errA := strconv.ParseFloat(r.PathValue("a"), 64)
			b, errB := strconv.ParseFloat(r.PathValue("b"), 64)
			if err := errors.Join(errA, errB); err != nil {
				refuse(w, http.StatusBadRequest, err)
				return
			}
			calculate(w, name, operation, a, b)
		})
		mux.HandleFunc("POST /api/"+operation, func(w http.ResponseWriter, r *http.Request) {
			var n numbers
			err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&n)
			if err == nil && (n.A == nil || n.B == nil) {
				err = errors.New(`the body must be an object with the numbers "a" and "b"`)
			}
			if err != nil {
				refuse(w, http.StatusBadRequest, err)
				return
			}
			calculate(w, name, operation, *n.A, *n.B)
		})
	}
	return mux
}

func calculate(w http.ResponseWriter, name, operation string, a, b float64) {
	result, err := operations[operation](a, b)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, http.StatusOK, answer{Operation: operation, A: a, B: b, Result: result, ServedBy: name})
}

func refuse(w http.ResponseWriter, status int, err error) {
	reply(w, status, map[string]string{"error": err.Error()})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails when the client is gone
}
