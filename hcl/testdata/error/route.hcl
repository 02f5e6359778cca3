route "nowhere" { # ERROR: Invalid route
}
route "both" { # ERROR: Invalid route
  respond {}
  redirect {
    scheme = "https"
  }
}
route "hosts" {
  hosts = ["Shop.example.com"] # ERROR: Invalid host
  respond {}
}
route "hosts2" {
  hosts = ["a.example.com", "a.example.com"] # ERROR: Duplicate host
  respond {}
}
route "hosts3" {
  hosts = ["a.*.com"] # ERROR: Invalid host
  respond {}
}
route "hosts4" {
  hosts = ["https://example.com"] # ERROR: Invalid host
  respond {}
}
route "two" {
  match { # ERROR: Invalid match
    path   = "/a"
    prefix = "/b"
  }
  match {
    method  = "GET"
    methods = ["PUT"] # ERROR: Invalid match
  }
  match {
    method = "get" # ERROR: Invalid method
  }
  match {
    path = "a" # ERROR: Invalid path
  }
  match {
    path = "/{a}/{a}" # ERROR: Invalid path
  }
  match {
    path = "/{rest=**}/x" # ERROR: Invalid path
  }
  match {
    path = "/{pet-id}" # ERROR: Invalid path
  }
  match {
    path = "/a?b=c" # ERROR: Invalid path
  }
  match {
    prefix = "a" # ERROR: Invalid path
  }
  match {
    prefix = "/{a}" # ERROR: Invalid path
  }
  match {
    regex = "/(?=a)" # ERROR: Invalid regular expression
  }
  match {
    regex = "/(([a-z]{50}){20}){20}" # ERROR: Invalid regular expression
  }
  match {
    header "x" { # ERROR: Invalid match
    }
    header "y" { # ERROR: Invalid match
      exact  = "a"
      prefix = "b"
    }
    query "q" {
      regex = "(" # ERROR: Invalid regular expression
    }
  }
  respond {}
}
route "weights" {
  to {
    upstream = upstream.a
    weight   = 1
  }
  to { # ERROR: Invalid weight
    upstream = upstream.b
  }
}
route "zeros" {
  to {
    upstream = upstream.a
    weight   = 0
  }
  to {
    upstream = upstream.b
    weight   = 0 # ERROR: Invalid weight
  }
}
route "negative" {
  to {
    upstream = upstream.a
    weight   = -1 # ERROR: Invalid value
  }
}
route "destinations" {
  to { # ERROR: Invalid destination
  }
  to { # ERROR: Invalid destination
    upstream = upstream.a
    function = function.b.c
  }
  to {
    upstream       = upstream.a
    path           = "/x"
    prefix_rewrite = "/y" # ERROR: Invalid path rewrite
  }
  to {
    upstream = upstream.a
    args     = { a = 1 } # ERROR: Invalid destination
  }
  to {
    upstream = upstream.a
    fallback = true # ERROR: Invalid destination
  }
  to {
    upstream = upstream.a
    subset   = { tags = "v2" } # ERROR: Unsupported attribute
  }
  to {
    upstream = upstream.a
    subset   = "v2" # ERROR: Incorrect attribute value type
  }
}
route "variables" {
  match { path = "/a/{id}" }
  to {
    upstream = upstream.a
    path     = "/b/{di}" # ERROR: Unknown path variable
  }
  headers {
    set = { x = request.path.ident } # ERROR: Unknown path variable
  }
}
route "prefix" {
  match { path = "/a" }
  to {
    upstream       = upstream.a
    prefix_rewrite = "/b" # ERROR: Invalid path rewrite
  }
}
route "redirect" {
  redirect { # ERROR: Invalid redirect
  }
}
route "redirect2" {
  redirect {
    status = 300 # ERROR: Invalid value
    scheme = "ftp" # ERROR: Invalid value
  }
}
route "response" {
  respond {
    status = 99 # ERROR: Invalid value
  }
}
route "variant" {
  variant "beta" { # ERROR: Invalid variant
    match { # ERROR: Invalid variant
      path = "/"
    }
  }
  respond {}
}
route "one_mistake" { # a weight that cannot be evaluated is one mistake, not two
  to {
    upstream = upstream.a
    weight   = local.nowhere # ERROR: Reference to undeclared local value
  }
  to {
    upstream = upstream.b
    weight   = 1
  }
}
