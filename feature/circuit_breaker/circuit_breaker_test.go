package circuitbreaker

import (
	"net/http"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

func TestWhatGoesBeyondTheBoundIsRefused(t *testing.T) {
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	address := featuretest.Backend(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	edge := featuretest.Serve(t, []translate.Kind{Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		route "shop" {
		  to { upstream = upstream.shop }
		}
		upstream "shop" {
		  static { endpoints = ["` + address + `"] }
		  circuit_breaker { requests = 2 }
		}`})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if a := edge.Do(t, "GET", "shop.example.com", "/"); a.Status != http.StatusOK {
				t.Errorf("a request within the bound is answered with %d", a.Status)
			}
		})
		<-arrived
	}
	if a := edge.Do(t, "GET", "shop.example.com", "/"); a.Status != http.StatusServiceUnavailable || a.Header.Get("x-envoy-overloaded") != "true" {
		t.Errorf("the third of two requests is answered with %d, %v", a.Status, a.Header)
	}
	close(release)
	wait.Wait()
}
