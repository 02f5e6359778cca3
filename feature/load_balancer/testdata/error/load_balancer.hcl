upstream "a" {
  static { endpoints = ["10.0.0.1:80"] }
  load_balancer {
    policy  = "maglev" # ERROR: Missing hash
    choices = 3        # ERROR: Unexpected argument
  }
}

upstream "b" {
  static { endpoints = ["10.0.0.1:80"] }
  load_balancer {
    policy = "random"
    hash { # ERROR: Invalid hash
      header = "x-a"
      query  = "a"
    }
    hash {
      header = "x-a"
      ttl    = "1h" # ERROR: Unexpected argument
    }
  }
}

upstream "c" {
  static { endpoints = ["10.0.0.1:80"] }
  load_balancer {
    policy = "ring_hash" # ERROR: Unexpected slow start
    hash { client_ip = true }
    slow_start { window = "10s" }
  }
}

upstream "e" {
  static { endpoints = ["10.0.0.1:80"] }
  load_balancer {
    policy = "maglev" # ERROR: Unexpected preference
    hash { client_ip = true }
    prefer_zone {}
  }
}

upstream "f" {
  static { endpoints = ["10.0.0.1:80"] }
  load_balancer {
    policy = "random" # ERROR: Unexpected hash
    hash { client_ip = true }
  }
}

upstream "d" {
  static {
    endpoints = ["10.0.0.1:80"]
    weight    = 10
  }
  load_balancer { # ERROR: Two rules for one choice
    prefer_zone {}
  }
}
