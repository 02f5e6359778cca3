upstream "a" {
  static { endpoints = ["10.0.0.1:80"] }
  circuit_breaker {} # ERROR: Empty circuit breaker
}

upstream "b" {
  static { endpoints = ["10.0.0.1:80"] }
  circuit_breaker {
    retries = 3 # ERROR: Two bounds on retries
    retry_budget {}
  }
}

upstream "c" {
  static { endpoints = ["10.0.0.1:80"] }
  circuit_breaker { requests = 0 } # ERROR: Invalid value
}
