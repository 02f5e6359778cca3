# KV: canary/shop = many
# KV: hosts = {"a":1}
locals {
  share  = kv("canary/shop", 10)          # ERROR: Invalid key-value entry
  hosts  = kv("hosts", ["a"])             # ERROR: Invalid key-value entry
  first  = kv("same", 1)
  second = kv("same", 2)                  # ERROR: Conflicting defaults
  loose  = kv("loose", local.first)       # ERROR: Invalid default
  short  = kv("short")                    # ERROR: Not enough function arguments
  key    = kv("/short", 1)                # ERROR: Invalid function argument
  env    = env("SLUICE_UNSET")            # ERROR: Error in function call
  file   = file("/etc/hosts")             # ERROR: Error in function call
  known  = try(env("SLUICE_UNSET"), "default")
}
