// Command aws is Vault's AWS secrets engine as a plugin.
package main

import (
	"github.com/hashicorp/vault/builtin/logical/aws"

	"github.com/sluice-gateway/sluice/tools/vault/plugin"
)

func main() { plugin.Main(aws.Factory) }
