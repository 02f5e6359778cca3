// Package catalog speaks to Consul: documents and values in KV, services and their health, locks, and what sluice
// itself writes there. It yields sluice's own nouns and knows nothing of the language.
//
// A newcomer's map:
//
//   - config.go, client.go: one Client per Consul; what it is told and what the environment says.
//   - transport.go, tokenfile.go, budget.go: how requests travel: token, addresses, connection limits.
//   - rules.go, guard.go: pure. When to ask Consul again; when a row that is missing counts as deleted.
//   - watch.go, status.go, metrics.go: the one blocking-query loop, and how old and how well each watch is.
//   - documents.go, keys.go: what lies below the prefix. service.go: the consul source of an upstream.
//   - lock.go, ledger.go, writer.go: what the replica with the lock writes. apply.go, history.go: the operator's writes.
//   - doctor.go: every permission and limit asked one by one. policies/: the ACL policies that the tests run with.
//
// An error is never an empty answer, and an empty answer is not yet a deletion: docs/consul.md says what is held for
// how long.
package catalog
