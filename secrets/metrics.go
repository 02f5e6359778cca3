package secrets

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector makes the metrics of a Keeper. A secret is named by its block.
type collector struct{ k *Keeper }

var (
	bySecret       = []string{"secret"}
	byConnection   = []string{"connection"}
	descLeft       = prometheus.NewDesc("sluice_secret_left_seconds", "Seconds until the lease of a secret ends; negative: it has ended. Secrets without a lease have none.", bySecret, nil)
	descAge        = prometheus.NewDesc("sluice_secret_age_seconds", "Seconds since the source of a secret last answered.", bySecret, nil)
	descFailing    = prometheus.NewDesc("sluice_secret_failing", "1 while the last look at a secret failed, or there is no material of it.", bySecret, nil)
	descRenewals   = prometheus.NewDesc("sluice_secret_renewals_total", "Leases of a secret that were given more time.", bySecret, nil)
	descRotations  = prometheus.NewDesc("sluice_secret_rotations_total", "Changes of the material of a secret.", bySecret, nil)
	descErrors     = prometheus.NewDesc("sluice_secret_errors_total", "Looks at a secret that failed.", bySecret, nil)
	descLogins     = prometheus.NewDesc("sluice_vault_logins_total", "Logins that succeeded.", byConnection, nil)
	descNoLogins   = prometheus.NewDesc("sluice_vault_login_errors_total", "Logins that failed.", byConnection, nil)
	descToken      = prometheus.NewDesc("sluice_vault_token_left_seconds", "Seconds until the token ends.", byConnection, nil)
	descTokenMore  = prometheus.NewDesc("sluice_vault_token_renewals_total", "Renewals of the token.", byConnection, nil)
	descLoggedIn   = prometheus.NewDesc("sluice_vault_logged_in", "1 while there is a token that Vault took last.", byConnection, nil)
	descVaultCodes = prometheus.NewDesc("sluice_vault_requests_total", "Answers of Vault by status code; 0 is no answer, 200 any success.", append(slices.Clone(byConnection), "code"), nil)
)

// Describe implements prometheus.Collector.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descLeft, descAge, descFailing, descRenewals, descRotations, descErrors,
		descLogins, descNoLogins, descToken, descTokenMore, descLoggedIn, descVaultCodes,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for _, s := range c.k.Status() {
		name := s.ID.Name
		if !s.Expires.IsZero() {
			gauge(descLeft, s.Expires.Sub(now).Seconds(), name)
		}
		if !s.Since.IsZero() {
			gauge(descAge, s.Age.Seconds(), name)
		}
		failing := 0.0
		if s.State == Failing || s.State == Expired || s.State == Starting {
			failing = 1
		}
		gauge(descFailing, failing, name)
		counter(descRenewals, s.Renewals, name)
		counter(descRotations, s.Rotations, name)
		counter(descErrors, s.Errors, name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.k.conns)) {
		k := c.k.conns[name]
		s := k.current()
		if s == nil {
			gauge(descLoggedIn, 0, name)
		} else {
			gauge(descLoggedIn, 1, name)
			if ends := s.ends(); !ends.IsZero() {
				gauge(descToken, ends.Sub(now).Seconds(), name)
			}
		}
		k.mu.Lock()
		logins, failures, renewals, codes := k.counts.logins, k.counts.failures, k.counts.renewals, maps.Clone(k.counts.codes)
		k.mu.Unlock()
		counter(descLogins, logins, name)
		counter(descNoLogins, failures, name)
		counter(descTokenMore, renewals, name)
		for code, n := range codes {
			counter(descVaultCodes, n, name, strconv.Itoa(code))
		}
	}
}
