route "a" {
  match { prefix = "/a" }
  to { upstream = upstream.shop }
  retry {
    on = ["5xx", "sometimes", "200"] # ERROR: Invalid retry condition
  }
}

route "b" {
  match { prefix = "/b" }
  to { upstream = upstream.shop }
  retry {
    attempts = 50 # ERROR: Invalid value
  }
}

route "c" {
  match { prefix = "/c" }
  to { upstream = upstream.shop }
  retry {
    backoff { # ERROR: Invalid retry back-off
      base = "1s"
      max  = "10ms"
    }
  }
}
