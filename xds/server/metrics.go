package server

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the server. They exist without a registerer too.
type metrics struct {
	connected           prometheus.Counter
	sent, acked, nacked *prometheus.CounterVec
	refused             *prometheus.CounterVec
	overdue, panics     prometheus.Counter
	latency             *prometheus.HistogramVec
}

// typeMetrics are the metrics of one type, looked up once.
type typeMetrics struct {
	sent, acked, nacked prometheus.Counter
	latency             prometheus.Observer
}

func (m *metrics) of(k kind) typeMetrics {
	return typeMetrics{
		sent: m.sent.WithLabelValues(k.short), acked: m.acked.WithLabelValues(k.short),
		nacked: m.nacked.WithLabelValues(k.short), latency: m.latency.WithLabelValues(k.short),
	}
}

func newMetrics(s *Server, r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "sluice", Subsystem: "xds", Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "sluice", Subsystem: "xds", Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		connected: counter("connections_total", "Streams that were let in."),
		sent:      vec("responses_total", "Responses sent.", "type"),
		acked:     vec("acks_total", "Responses acknowledged.", "type"),
		nacked:    vec("nacks_total", "Responses refused by an Envoy.", "type"),
		refused:   vec("refused_streams_total", "Streams refused.", "reason"),
		overdue:   counter("overdue_total", "Resources sent before what they need was acknowledged."),
		panics:    counter("panics_total", "Panics caught; each ended its stream."),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "sluice", Subsystem: "xds", Name: "publish_to_ack_seconds",
			Help: "From publishing a resource to its acknowledgement, per response.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"type"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.connected, m.sent, m.acked, m.nacked, m.refused, m.overdue, m.panics, m.latency, gauges{s},
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register xds metrics: %w", err)
		}
	}
	return m, nil
}

var (
	streamsDesc = prometheus.NewDesc("sluice_xds_streams", "Streams that are open.", []string{"gateway"}, nil)
	unknownDesc = prometheus.NewDesc("sluice_xds_unknown_gateway_streams", "Open streams whose gateway has no resources.", nil, nil)
	logDesc     = prometheus.NewDesc("sluice_xds_log_length", "Changes kept for streams that are behind.", []string{"type"}, nil)
)

// gauges are read when they are asked for.
type gauges struct{ s *Server }

// Describe implements prometheus.Collector.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- streamsDesc
	ch <- unknownDesc
	ch <- logDesc
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	streams, unknown := map[string]int{}, 0
	for _, n := range g.s.Nodes() {
		if n.Unknown {
			unknown++ // its name is the client's choice and no label
			continue
		}
		streams[n.Gateway]++
	}
	for gateway, n := range streams {
		ch <- prometheus.MustNewConstMetric(streamsDesc, prometheus.GaugeValue, float64(n), gateway)
	}
	ch <- prometheus.MustNewConstMetric(unknownDesc, prometheus.GaugeValue, float64(unknown))
	for typeURL, n := range g.s.store.LogLength() {
		if k, ok := kinds[typeURL]; ok {
			ch <- prometheus.MustNewConstMetric(logDesc, prometheus.GaugeValue, float64(n), k.short)
		}
	}
}
