route "a" {
  match { prefix = "/a" }
  to { upstream = upstream.shop }
  headers {} # ERROR: Empty headers
}

route "b" {
  match { prefix = "/b" }
  to { upstream = upstream.shop }
  headers {
    request {
      set    = { ":path" = "/" }               # ERROR: Invalid header name
      add    = { "no good" = "x" }             # ERROR: Invalid header name
      remove = ["Host", "x-envoy-retry-on"]    # ERROR: Invalid header name
    }
  }
}

route "c" {
  match { prefix = "/c" }
  to { upstream = upstream.shop }
  headers {
    request {
      set = {
        x-body  = request.body.name               # ERROR: Unsupported header value
        x-upper = upper(request.method)           # ERROR: Unsupported header value
        x-sum   = request.query.a == "1" ? "a" : "b" # ERROR: Unsupported header value
        x-lines = "one\ntwo"                      # ERROR: Unsupported header value
        x-list  = ["a"]                           # ERROR: Unsupported header value
      }
    }
  }
}
