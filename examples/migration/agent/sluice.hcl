# The control plane's configuration. Where Consul and Vault are comes from CONSUL_HTTP_ADDR and VAULT_ADDR.
config { consul_prefix = "sluice/" }

consul "main" {}

vault {
  auth "token_file" { path = "vault-token" }
}
