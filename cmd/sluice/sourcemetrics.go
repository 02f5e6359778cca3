package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/discovery"
)

// sourceMetrics says how every source does, when it is asked.
type sourceMetrics struct {
	manager                  *discovery.Manager
	age, endpoints, failures *prometheus.Desc
}

var _ prometheus.Collector = (*sourceMetrics)(nil)

// sourceMetricsPatience bounds the wait for the manager: metrics are not worth more.
const sourceMetricsPatience = time.Second

func newSourceMetrics(m *discovery.Manager) *sourceMetrics {
	labels := []string{"kind", "query"}
	return &sourceMetrics{
		manager:   m,
		age:       prometheus.NewDesc("sluice_source_age_seconds", "Time since a source last answered; missing while it never has.", labels, nil),
		endpoints: prometheus.NewDesc("sluice_source_endpoints", "Endpoints of a source that are in force.", labels, nil),
		failures:  prometheus.NewDesc("sluice_source_failures_total", "How often a source has failed and was started again.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (s *sourceMetrics) Describe(c chan<- *prometheus.Desc) {
	c <- s.age
	c <- s.endpoints
	c <- s.failures
}

// Collect implements prometheus.Collector.
func (s *sourceMetrics) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), sourceMetricsPatience)
	defer cancel()
	status, err := s.manager.Snapshot(ctx)
	if err != nil {
		return
	}
	now := time.Now()
	for _, src := range status.Sources {
		kind, query := src.Key.Kind, src.Key.Query
		if !src.Contact.IsZero() {
			c <- prometheus.MustNewConstMetric(s.age, prometheus.GaugeValue, now.Sub(src.Contact).Seconds(), kind, query)
		}
		c <- prometheus.MustNewConstMetric(s.endpoints, prometheus.GaugeValue, float64(src.Endpoints), kind, query)
		c <- prometheus.MustNewConstMetric(s.failures, prometheus.CounterValue, float64(src.Restarts), kind, query)
	}
}
