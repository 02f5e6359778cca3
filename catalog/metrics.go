package catalog

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are those of some clients; each is labelled with its connection's name.
func Metrics(clients ...*Client) prometheus.Collector { return &collector{clients: clients} }

type collector struct{ clients []*Client }

var (
	labels       = []string{"connection"}
	descAge      = desc("watch_age_seconds", "Seconds since the last answer of the watch that waits longest, by what is watched.", "kind")
	descWatches  = desc("watches", "Watches by what they see.", "state")
	descHeld     = desc("held_rows", "Rows that are missing in Consul and still served, until confirmed.")
	descLag      = desc("lag_seconds", "How late a change may be seen because there are more watches than connections.")
	descRequests = desc("requests_total", "Answers of Consul by status code; 0 is no answer.", "code")
	descLogins   = desc("logins_total", "Logins by an auth method, by what became of them.", "result")
	descConfirm  = desc("confirming_reads_total", "Consistent reads made to confirm that something was deleted.")
)

func desc(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("sluice_consul_"+name, help, append(append([]string{}, labels...), more...), nil)
}

// Describe implements prometheus.Collector.
func (*collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descAge, descWatches, descHeld, descLag, descRequests, descLogins, descConfirm} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	for _, client := range c.clients {
		client.collect(now, ch)
	}
}

func (c *Client) collect(now time.Time, ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, more ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{c.Name}, more...)...)
	}
	age, states, held := map[string]float64{}, map[State]int{}, 0
	for _, s := range c.Statuses() {
		kind, _, _ := strings.Cut(s.Name, " ")
		states[s.State]++
		held += len(s.Held)
		if !s.LastContact.IsZero() {
			age[kind] = max(age[kind], now.Sub(s.LastContact).Seconds())
		}
	}
	for kind, seconds := range age {
		gauge(descAge, seconds, kind)
	}
	for state, n := range states {
		gauge(descWatches, float64(n), string(state))
	}
	gauge(descHeld, float64(held))
	gauge(descLag, c.Lag().Seconds())
	if c.rt != nil && c.rt.login != nil {
		logins, failed := c.rt.login.counts()
		ch <- prometheus.MustNewConstMetric(descLogins, prometheus.CounterValue, float64(logins), c.Name, "done")
		ch <- prometheus.MustNewConstMetric(descLogins, prometheus.CounterValue, float64(failed), c.Name, "failed")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for code, n := range c.counts {
		ch <- prometheus.MustNewConstMetric(descRequests, prometheus.CounterValue, float64(n), c.Name, strconv.Itoa(code))
	}
	ch <- prometheus.MustNewConstMetric(descConfirm, prometheus.CounterValue, float64(c.confirm), c.Name)
}
