upstream "a" {
  static { endpoints = ["10.0.0.1:80"] }
  proxy_protocol { version = "3" } # ERROR: Invalid value
}

route "b" {
  proxy_protocol {} # ERROR: Unsupported block type
  to { upstream = upstream.shop }
}
