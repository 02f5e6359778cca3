secret "key" {
  vault_kv {
    path = "functions/key"
  }
}

route "a" {
  match { prefix = "/a" }
  to { upstream = upstream.shop }
  credential {} # ERROR: Missing required argument
}

route "b" {
  match { prefix = "/b" }
  to { upstream = upstream.shop }
  credential {
    header = "host"       # ERROR: Invalid header name
    prefix = "Bearer\n"   # ERROR: Unsupported header value
    field  = "data/token" # ERROR: Invalid field
    secret = secret.key
  }
}
