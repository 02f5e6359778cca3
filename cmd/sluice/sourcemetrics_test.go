package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/static"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

func TestEverySourceHasItsAge(t *testing.T) {
	m := discovery.New(discovery.Options{Kinds: []discovery.Kind{static.Kind()}, Publish: func(map[gateway.SourceKey][]gateway.Endpoint) {}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(ctx) }()
	defer func() { cancel(); <-done }()
	spec := &static.Spec{Endpoints: []string{"10.0.0.1:80", "10.0.0.2:80"}}
	m.Want(map[gateway.SourceKey]gateway.SourceSpec{spec.SourceKey(): spec})

	r := prometheus.NewRegistry()
	r.MustRegister(newSourceMetrics(m))
	testenv.Eventually(t, 10*time.Second, func() error {
		w := httptest.NewRecorder()
		promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		for _, want := range []string{
			`sluice_source_age_seconds{kind="static",query="10.0.0.1:80 10.0.0.2:80"}`,
			`sluice_source_endpoints{kind="static",query="10.0.0.1:80 10.0.0.2:80"} 2`,
			`sluice_source_failures_total{kind="static",query="10.0.0.1:80 10.0.0.2:80"} 0`,
		} {
			if !strings.Contains(w.Body.String(), want) {
				return errMissing(want)
			}
		}
		return nil
	})
}

type errMissing string

func (e errMissing) Error() string { return "no " + string(e) }
