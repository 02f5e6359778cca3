// Package policies holds the Vault and AWS policies that sluice ships. The tests run with exactly these.
package policies

import _ "embed"

// Vault is what a replica's token may do: read below secret/…/sluice/ and kv/sluice/, make AWS credentials of roles that
// begin with sluice-, and renew and revoke those.
//
//go:embed vault.hcl
var Vault string

// AWSEngine is what the credentials of Vault's own AWS engine may do in AWS.
//
//go:embed aws-engine.json
var AWSEngine string

// AWSLambda is what the credentials may do that Vault hands out: find and call functions.
//
//go:embed aws-lambda.json
var AWSLambda string
