package control

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

// meters are the loop's metrics.
type meters struct {
	l           *Loop
	applies     prometheus.Histogram
	translates  prometheus.Histogram
	acks        prometheus.Histogram
	quarantined prometheus.Counter
	open        prometheus.Gauge
	blocks      *prometheus.Desc
}

func newMeters(l *Loop, r prometheus.Registerer) (*meters, error) {
	fast := prometheus.ExponentialBuckets(0.0001, 3, 10)
	m := &meters{
		l:           l,
		applies:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sluice_apply_seconds", Help: "Time to make the next world from a batch of changes.", Buckets: fast}),
		translates:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sluice_translate_seconds", Help: "Time to translate the units that a change touched.", Buckets: fast}),
		acks:        prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sluice_event_to_ack_seconds", Help: "Time from the arrival of a change until every Envoy had acknowledged a resource of it.", Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12)}),
		quarantined: prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_quarantined_total", Help: "Blocks put in quarantine because an Envoy refused them."}),
		open:        prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_gate_open", Help: "1 when Envoys are let in."}),
		blocks:      prometheus.NewDesc("sluice_blocks", "Blocks by kind and state.", []string{"kind", "state"}, nil),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.applies, m.translates, m.acks, m.quarantined, m.open, m} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *meters) apply(d time.Duration)     { m.applies.Observe(d.Seconds()) }
func (m *meters) translate(d time.Duration) { m.translates.Observe(d.Seconds()) }

func (m *meters) acked(since time.Time) {
	if !since.IsZero() {
		m.acks.Observe(time.Since(since).Seconds())
	}
}

// Describe implements prometheus.Collector.
func (m *meters) Describe(c chan<- *prometheus.Desc) { c <- m.blocks }

// Collect implements prometheus.Collector: it counts blocks when asked.
func (m *meters) Collect(c chan<- prometheus.Metric) {
	type key struct {
		kind  string
		state gateway.State
	}
	n := map[key]int{}
	for _, b := range m.l.World().Blocks() {
		n[key{b.Kind, b.State}]++
	}
	for k, v := range n {
		c <- prometheus.MustNewConstMetric(m.blocks, prometheus.GaugeValue, float64(v), k.kind, string(k.state))
	}
}
