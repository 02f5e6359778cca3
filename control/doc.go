// Package control is the loop that owns the world. Sources hand it values; it applies them, translates the units that
// they touch, publishes to the store, and learns from the Envoys' answers what is accepted.
//
// A newcomer reads inbox.go (how values come in, and the two lanes), loop.go (the one goroutine), publish.go (from
// touched units to the store), acks.go (when a block counts as accepted), quarantine.go (who is to blame for a NACK),
// gate.go (when Envoys are let in), lastgood.go (what survives a restart) and record.go (what goes to Consul).
package control
