upstream "a" {
  static { endpoints = ["10.0.0.1:80"] }
  health_check {} # ERROR: Empty health check
}

upstream "b" {
  static { endpoints = ["10.0.0.1:80"] }
  health_check {
    path     = "health"          # ERROR: Invalid path
    statuses = ["2xx", "200-99"] # ERROR: Invalid status
    interval = "1s"
    timeout  = "2s" # ERROR: Invalid timeout
  }
}

upstream "c" {
  static { endpoints = ["10.0.0.1:80"] }
  health_check {
    type    = "tcp"
    path    = "/health" # ERROR: Unexpected argument
    service = "x"       # ERROR: Unexpected argument
  }
}

upstream "d" {
  static { endpoints = ["10.0.0.1:80"] }
  health_check { type = "udp" } # ERROR: Invalid value
}
