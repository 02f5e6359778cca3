answer = 42 # ERROR: Unsupported argument
rout "x" { # ERROR: Unsupported block type
}
teem "shop" { # ERROR: Unsupported block type
}
route "Upper" { # ERROR: Invalid name
  respond {}
}
route { # ERROR: Missing name for route
}
route "a" "b" { # ERROR: Extraneous label for route
}
locals {
  nested { # ERROR: Unsupported block type
  }
}
gateway "empty" { # ERROR: Invalid gateway
}
gateway "edge" {
  listener "http" {
    prot = 80 # ERROR: Unsupported argument
    port = 80
  }
  listener "none" { # ERROR: Missing required argument
  }
  listener "big" {
    port = 70000 # ERROR: Invalid value
  }
  listener "text" {
    port = "http" # ERROR: Incorrect attribute value type
  }
  listener "half" {
    port = 80.5 # ERROR: Incorrect attribute value type
  }
  listener "addr" {
    port    = 81
    address = "localhost" # ERROR: Invalid address
  }
  listener "Name" { # ERROR: Invalid name
    port = 82
  }
}
gateway "twice" {
  listener "a" {
    port = 1
  }
  listener "a" { # ERROR: Duplicate listener block
    port = 2
  }
  listener "b" {
    port = 1 # ERROR: Invalid listener
  }
}
upstream "nothing" { # ERROR: Invalid upstream
}
upstream "shares" {
  connect_timeout = "soon" # ERROR: Incorrect attribute value type
  static {
    addresses = ["10.0.0.1:80", null] # ERROR: Incorrect attribute value type
  }
}
upstream "weights" {
  static { # ERROR: Invalid weight
    addresses = ["10.0.0.1:80"]
  }
  consul {
    service = "x"
    weight  = 3
  }
}
upstream "unknown" {
  consull { # ERROR: Unsupported block type
  }
}
upstream "level" {
  static {
    addresses = []
  }
  mirror "m" { # ERROR: Unsupported block type
    upstream = upstream.x
  }
}
policy "p" {
  retry {
    attempts = 11                    # ERROR: Invalid value
    on       = ["5xx", "sometimes"]  # ERROR: Invalid value
    backoff  = "1us"                 # ERROR: Invalid value
  }
  retry { # ERROR: Duplicate retry block
  }
  retry = 5 # ERROR: Unsupported argument
}
