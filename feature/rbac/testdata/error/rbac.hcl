gateway "edge" {
  listener "http" { port = 8080 }
}

upstream "shop" {
  static { endpoints = ["10.0.0.1:8080"] }
}

route "a" {
  match { prefix = "/a" }
  rbac "none" { # ERROR: Missing rules
    action = "allow"
  }
  rbac "rules" {
    action = "allow"
    rule {
      from {
        addresses = ["here"]                       # ERROR: Invalid address
        headers   = { "x-sluice-client" = "alice" } # ERROR: Invalid header name
        clients   = []                             # ERROR: Empty condition
        claims    = { role = "" }                  # ERROR: Empty condition
      }
    }
    rule {
      to {
        methods  = ["get"]          # ERROR: Invalid method
        paths    = ["/a/../b"]      # ERROR: Invalid path
        prefixes = ["/a;b"]         # ERROR: Invalid path
        headers  = { "a b" = "1" }  # ERROR: Invalid header name
      }
    }
  }
  to { upstream = upstream.shop }
}

route "b" {
  match { prefix = "/b" }
  rbac "what" {
    action = "permit" # ERROR: Invalid value
    rule {}
  }
  to { upstream = upstream.shop }
}

route "c" {
  match { prefix = "/c" }
  rbac "A b" { # ERROR: Invalid name
    action = "deny"
    rule {}
  }
  to { upstream = upstream.shop }
}

route "d" {
  match { prefix = "/d" }
  rbac "as" {
    action = "allow"
    as     = "deny" # ERROR: Unsupported argument
    rule {}
  }
  to { upstream = upstream.shop }
}
