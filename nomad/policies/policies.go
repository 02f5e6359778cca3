// Package policies holds the Nomad ACL policy that sluice ships. The tests run with exactly this, under default deny.
package policies

import (
	_ "embed"
	"strings"
)

//go:embed reader.hcl
var reader string

// Reader is what the token of a replica needs to find the services of all namespaces, or of those that are named.
func Reader(namespaces ...string) string {
	if len(namespaces) == 0 {
		return reader
	}
	var out strings.Builder
	for _, ns := range namespaces {
		out.WriteString(strings.ReplaceAll(reader, `namespace "*"`, `namespace "`+ns+`"`))
	}
	return out.String()
}
