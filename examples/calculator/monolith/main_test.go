package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCalculator(t *testing.T) {
	monolith := calculator("monolith", "add", "subtract", "multiply", "divide")
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/add/6/3", "", 200, `"result":9,"served_by":"monolith"`},
		{"GET", "/multiply/6/-1.5", "", 200, `"result":-9`},
		{"GET", "/divide/6/3", "", 200, `"result":2`},
		{"GET", "/divide/6/0", "", 422, "divided by zero"},
		{"GET", "/add/six/3", "", 400, "invalid syntax"},
		{"POST", "/api/subtract", `{"a": 6, "b": 3}`, 200, `"operation":"subtract","a":6,"b":3,"result":3`},
		{"POST", "/api/subtract", `{"a": 6}`, 400, "must be an object"},
		{"POST", "/api/subtract", `6`, 400, "error"},
		{"GET", "/health", "", 200, "fine"},
		{"GET", "/power/9/2", "", 404, ""},
	} {
		w := httptest.NewRecorder()
		monolith.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, w.Code, w.Body, c.status, c.want)
		}
	}
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, "127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Error(err)
	}
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if err := run(t.Context(), s.Listener.Addr().String(), ""); err == nil {
		t.Error("a port that is taken was no error")
	}
}
