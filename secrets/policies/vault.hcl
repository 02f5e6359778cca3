# What a replica needs of Vault, and nothing else. Adjust the mounts and prefixes; `sluice doctor` prints each rule that
# is missing.

# Its own token.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }

# Secrets of the key/value engine, version 2. Without metadata sluice reads the secret itself each time.
path "secret/data/sluice/*" { capabilities = ["read"] }
path "secret/metadata/sluice/*" { capabilities = ["read"] }

# Secrets of the key/value engine, version 1.
path "kv/sluice/*" { capabilities = ["read"] }

# Credentials of AWS roles.
path "aws/creds/sluice-*" { capabilities = ["read"] }
path "aws/sts/sluice-*" { capabilities = ["read"] }

# Its own leases, and nobody else's.
path "sys/leases/renew" {
  capabilities       = ["update"]
  allowed_parameters = {
    "lease_id"  = ["aws/creds/sluice-*"]
    "increment" = []
  }
}
path "sys/leases/revoke" {
  capabilities       = ["update"]
  allowed_parameters = {
    "lease_id" = ["aws/creds/sluice-*", "aws/sts/sluice-*"]
  }
}
