gateway "edge" {
  listener "http" { port = 8080 }
}

upstream "authz" {
  static { endpoints = ["10.0.0.9:9000"] }
}

route "a" {
  match { prefix = "/a" }
  ext_authz {
    upstream    = upstream.authz
    path_prefix = "/check" # ERROR: Unsupported argument
    to_client   = ["x-a"]  # ERROR: Unsupported argument
    to_upstream = ["host"] # ERROR: Invalid header name
    headers     = ["a b"]  # ERROR: Invalid header name
  }
  ext_authz {
    upstream = upstream.authz
    include_body {
      max = "9GiB" # ERROR: Invalid size
    }
  }
  to { upstream = upstream.authz }
}

route "b" {
  match { prefix = "/b" }
  ext_authz {
    upstream    = upstream.authz
    protocol    = "http"
    path        = "/check" # ERROR: Invalid path
    path_prefix = "check"  # ERROR: Invalid path
  }
  ext_authz {
    upstream = upstream.authz
    include_body {
      max = "8 kilo" # ERROR: Invalid size
    }
  }
  ext_authz {
    upstream    = upstream.authz
    to_upstream = ["x-sluice-client"] # ERROR: Invalid header name
    context     = { route = "mine" }  # ERROR: Reserved context
  }
  to { upstream = upstream.authz }
}

route "c" {
  match { prefix = "/c" }
  ext_authz {
    upstream = upstream.authz
    context  = { tier = "a\nb" } # ERROR: Invalid context
  }
  ext_authz {
    upstream = upstream.authz
    on_error = "ask" # ERROR: Invalid value
    timeout  = "1m"  # ERROR: Invalid value
  }
  ext_authz {} # ERROR: Missing required argument
  to { upstream = upstream.authz }
}
