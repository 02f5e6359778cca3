# How much of the calculator has moved from virtual machines to Nomad, in percent:
# consul kv put sluice/values/move/calculator 50
locals {
  moved = kv("move/calculator", 20)
}

# One service on four platforms.
upstream "calculator" {
  vsphere {
    folder = "/DC0/vm/calculator"
    port   = kv("machines/port", 9200)
    cidr   = "127.0.0.0/8" # the simulated machines run on this one
    weight = 100 - local.moved
  }

  nomad {
    service = "calculator"
    weight  = local.moved
  }

  # Stands by in the cloud: used as far as those above are not healthy.
  ec2 {
    region   = "us-east-1"
    endpoint = kv("aws/endpoint", "http://127.0.0.1:4566") # the simulator's; left out, it is AWS
    tags     = { service = "calculator" }
    port_tag = "port"
    interval = "5s"
    priority = 1
    weight   = 100
  }

  # The last resort: an old machine that registers itself in Consul.
  consul {
    service  = "calculator"
    priority = 2
    weight   = 100
  }

  health_check {
    path      = "/health"
    interval  = "1s"
    timeout   = "500ms"
    unhealthy = 2
  }

  circuit_breaker {
    retry_budget {
      percent = 50
      least   = 20
    }
  }
}

route "calculator" {
  match {
    method = "GET"
    prefix = "/divide"
  }
  timeout { request = "5s" }
  retry {
    attempts = 4
    on       = ["connect-failure", "refused-stream", "reset", "503"]
  }
  to { upstream = upstream.calculator }
}
