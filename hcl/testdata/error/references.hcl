locals {
  up   = upstream.shop      # ERROR: Invalid reference
  lost = local.undeclared   # ERROR: Reference to undeclared local value
  all  = local              # ERROR: Invalid reference
  each = each.key           # ERROR: Invalid reference
  word = hello              # ERROR: Unknown name
  call = uper("x")          # ERROR: Call to unknown function
  sum  = 1 + "x"            # ERROR: Invalid operand
  who  = request.headers["x-who"]
  deep = [for a in [1] : [for b in [1] : [for c in [1] : c]]] # ERROR: Nested for expressions
  wide = format("%9999d", 1) # ERROR: Invalid function argument
}
route "quoted" {
  policies = ["standard"]        # ERROR: Invalid reference
  gateways = gateway.edge        # ERROR: Invalid reference
  to {
    upstream = "shop"            # ERROR: Invalid reference
  }
}
route "kinds" {
  policies = [policy.a, policy.a]  # ERROR: Duplicate reference
  gateways = [gateway.edge.a.b]    # ERROR: Invalid reference
  to {
    upstream = policy.shop         # ERROR: Invalid reference
  }
  to {
    function = function.shop       # ERROR: Invalid reference
  }
  to {
    upstream = upstream            # ERROR: Invalid reference
  }
  to {
    upstream = local.who           # ERROR: Invalid reference
  }
  mirror "m" {
    upstream = upstream.a.b        # ERROR: Invalid reference
  }
}
route "late" {
  hosts = [request.host]           # ERROR: Request-time value
  to {
    upstream = upstream.shop
    weight   = local.who           # ERROR: Request-time value
  }
  headers {
    set    = { x = response.status }      # ERROR: Request-time value
    answer = { y = request.nothing }      # ERROR: Unsupported attribute
    value  = sha256(request.host)         # ERROR: Function not available for a request
  }
  headers {
    set = {
      a = request.headers                 # ERROR: Invalid reference
      b = lower(request.host, "x")        # ERROR: Wrong number of arguments
      c = request.auth.name               # ERROR: Unsupported attribute
    }
  }
}
upstream "list" {
  for_each = ["a", "b"]                   # ERROR: Invalid for_each argument
  static { addresses = [each.key] }
}
upstream "many" {
  for_each = toset([for i in range(1001) : "x${i}"]) # ERROR: Invalid for_each argument
  static { addresses = [each.key] }
}
route "dynamic" {
  dynamic "to" {
    for_each = [1, 2]
    upstream = upstream.a                 # ERROR: Unsupported argument
    content {}
  }
  dynamic "to" { # ERROR: Invalid dynamic block
    for_each = [1]
  }
  dynamic "to" {
    for_each = [1, 2]
    content {
      upstream = upstream.a
      wait     = to.value                 # ERROR: Unsupported argument
    }
  }
  respond {}
}
