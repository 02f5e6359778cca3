gateway "edge" {
  listener "http" { port = 8080 }
}

upstream "shop" {
  static { endpoints = ["10.0.0.1:8080"] }
}

route "a" {
  ip_allow {
    allow = ["10.0.0.1/8"] # ERROR: Invalid address
    deny  = ["localhost"]  # ERROR: Invalid address
  }
  ip_allow {} # ERROR: Missing addresses
  ip_allow {
    allow = [] # ERROR: Missing addresses
    deny  = ["10.0.0.0/8"]
  }
  ip_allow {
    allow  = ["::ffff:10.0.0.0/104"] # ERROR: Invalid address
  }
  ip_allow {
    deny   = ["10.0.0.0/8"]
    source = "both" # ERROR: Invalid value
  }
  to { upstream = upstream.shop }
}
