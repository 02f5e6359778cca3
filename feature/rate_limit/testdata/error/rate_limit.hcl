route "shop" {
  rate_limit "one" {
    requests = 0 # ERROR: Invalid value
    per      = "1m"
  }
  rate_limit "two" {
    requests = 1
    per      = "1m"
    key      = upper(request.headers["x-tenant"]) # ERROR: Unsupported key
  }
  rate_limit "three" {
    requests = 1
    per      = "1m"
    status   = 420 # ERROR: Invalid status
  }
  to { upstream = upstream.shop }
}
