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
      set    = { ":path" = "/" }            # ERROR: Invalid header name
      add    = { "no good" = "x" }          # ERROR: Invalid header name
      remove = ["Host", "x-envoy-retry-on"] # ERROR: Invalid header name
    }
  }
}

route "c" {
  match { prefix = "/c" }
  to { upstream = upstream.shop }
  headers {
    request {
      set = {
        x-lines = "one\ntwo" # ERROR: Unsupported header value
        x-list  = ["a"]      # ERROR: Unsupported header value
      }
    }
  }
}

route "d" {
  match { prefix = "/d" }
  to { upstream = upstream.shop }
  headers {
    response {
      set = {
        x-parts  = [for p in split(",", request.query.a) : p]               # ERROR: Unsupported header value
        x-object = { a = response.status }                                  # ERROR: Unsupported header value
        x-either = response.status == 200 ? "a\nb" : upper(request.query.a) # ERROR: Unsupported header value
      }
    }
  }
}

route "e" {
  match { prefix = "/e" }
  to { upstream = upstream.shop }
  headers {
    request {
      set = {
        x-answer = response.status         # ERROR: Request-time value
        x-digest = sha256(request.query.a) # ERROR: Function not available for a request
      }
    }
  }
}
