// Package envoy runs an Envoy as a child process: it finds the binary, starts it, waits until it is ready, drains it
// and ends it. It knows nothing of what Envoy is configured with.
//
// A newcomer's map:
//
//   - find.go: where the binary is looked for; version.go: which one it is.
//   - run.go: Run, the life of the child from start to exit code.
//   - drain.go: how it is taken out of service without a failed request.
//   - admin.go: the few questions that are put to its admin interface.
//   - validate.go: whether an Envoy would take a configuration.
package envoy
