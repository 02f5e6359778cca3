// Package policies holds the Consul ACL policies that sluice ships. The tests run with exactly these, under default
// deny. A replica's token has Reader and Writer, an operator's Apply, a team's Team.
package policies

import (
	_ "embed"
	"strings"
)

// The policies for the prefix "sluice/".
var (
	//go:embed reader.hcl
	reader string
	//go:embed writer.hcl
	writer string
	//go:embed apply.hcl
	apply string
	//go:embed mesh.hcl
	mesh string
	//go:embed team.hcl
	team string
)

// Reader is what a replica needs to serve.
func Reader(prefix string) string { return with(reader, prefix) }

// Writer is what it needs beside, to write status, ledger and history.
func Writer(prefix string) string { return with(writer, prefix) }

// Mesh is what a replica needs beside Reader to call mesh services as a service of that name.
func Mesh(service string) string {
	return strings.ReplaceAll(mesh, `service "sluice"`, `service "`+service+`"`)
}

// Team is what a team needs that has the folder of that name.
func Team(prefix, folder string) string {
	return with(strings.ReplaceAll(team, "team-orders", folder), prefix)
}

// Apply is what an operator needs.
func Apply(prefix string) string { return with(apply, prefix) }

// with puts another prefix in; it must end in a slash.
func with(policy, prefix string) string {
	return strings.ReplaceAll(policy, `"sluice/`, `"`+prefix)
}
