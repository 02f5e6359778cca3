// Package console is the HTTP API of a running sluice: JSON that the command line, a browser and monitoring read, and
// the few actions that an operator may take. docs/api.md documents every path and every field.
//
// A newcomer's map:
//
//   - server.go: Config, the paths and the HTTP server; auth.go: who may ask, and where it may listen.
//   - types.go, typesroute.go, typesplan.go: the documented JSON, which the command line decodes too.
//   - status.go, list.go, routes.go, upstreams.go: a World becomes that JSON.
//   - plan.go: what documents would change; diff.go: the difference of two worlds in routes.
//   - explain.go: which route takes a request, and why; settings.go: what a feature block says.
//   - events.go: the stream of events.
//
// Everything is computed from an immutable World, answered from a buffer, and bounded: a slow or greedy client costs
// a connection and nothing else.
package console
