upstream "a" {
  static { endpoints = ["10.0.0.1:80"] }
  http2 {
    keepalive { # ERROR: Invalid keepalive
      interval = "1s"
      timeout  = "2s"
    }
  }
}

upstream "b" {
  static { endpoints = ["10.0.0.1:80"] }
  http2 { streams = 0 } # ERROR: Invalid value
}

route "c" {
  http2 {} # ERROR: Unsupported block type
  to { upstream = upstream.shop }
}
