# The monolith, which answers everything that nothing else does.
upstream "monolith" {
  static { endpoints = ["127.0.0.1:9001"] }
}

# The first function that was taken out of it: divide, rewritten.
upstream "divider" {
  static { endpoints = ["127.0.0.1:9002"] }
}

# What holds for every route that names it.
policy "standard" {
  timeout { request = "3s" }
  retry {
    attempts = 2
    on       = ["5xx", "connect-failure"]
  }
}

locals {
  share = 20 # percent of the divisions that go to the new one: change it, and save
}

route "calculator" {
  match { prefix = "/" }
  policies = [policy.standard]
  to { upstream = upstream.monolith }
}

route "divide" {
  match {
    method = "GET"
    path   = "/divide/{a}/{b}"
  }
  policies = [policy.standard]

  to {
    upstream = upstream.divider
    weight   = local.share

    headers {
      response {
        set = { x-served-by = "divider" }
      }
    }
  }
  to {
    upstream = upstream.monolith
    weight   = 100 - local.share
  }
}

# A path that clients have always known, though the monolith's own is another one.
route "minus" {
  match {
    method = "POST"
    path   = "/v1/minus"
  }
  policies = [policy.standard]
  to {
    upstream = upstream.monolith
    path     = "/api/subtract"
  }
}

route "health" {
  match { path = "/health" }
  respond { body = "the gateway is fine\n" }
}

route "old" {
  match { prefix = "/calc" }
  redirect {
    prefix = "/"
    status = 308
  }
}
