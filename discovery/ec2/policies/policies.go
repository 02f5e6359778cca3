// Package policies holds the AWS policy that the ec2 source needs. The tests run with exactly this one.
package policies

import _ "embed"

// EC2 is what the credentials of an ec2 block may do: list instances, and their status checks.
//
//go:embed ec2.json
var EC2 string
