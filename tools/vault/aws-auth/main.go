// Command aws-auth is Vault's AWS auth method as a plugin.
package main

import (
	awsauth "github.com/hashicorp/vault/builtin/credential/aws"

	"github.com/sluice-gateway/sluice/tools/vault/plugin"
)

func main() { plugin.Main(awsauth.Factory) }
