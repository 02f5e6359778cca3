// Package nomad speaks to Nomad: the services that jobs register with it, their events, and the checks of their
// allocations. It yields sluice's own nouns and knows nothing of the language.
//
// A newcomer's map:
//
//   - spec.go, kind.go: the nomad source of an upstream, and which connection it is asked of.
//   - config.go, client.go: one Client per Nomad; what it is told and what the environment says.
//   - transport.go, tokenfile.go: how requests travel: token, addresses, TLS files, connection limits.
//   - stream.go: one event stream, with its heartbeats and all the ways in which it ends.
//   - feed.go: one namespace, shared by all sources that want some of its services; session.go runs it while there are
//     such sources; watch.go subscribes, lists, and falls back to blocking lists; entry.go is one service of it;
//     work.go reads services and checks, a few at a time; checks.go judges what checks say.
//   - source.go: what a feed says becomes endpoints.
//   - discover.go, doctor.go: what there is, and what is missing to see it.
//   - policies/: the ACL policy that the tests run with.
//
// An error is never an empty answer, and an empty answer is not yet a deletion: docs/nomad.md says what is held for how
// long, and by whom.
package nomad
