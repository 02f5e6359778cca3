# Instances with the tag service = shop, in whatever autoscaling group and zone. The port is a tag of each.
upstream "shop" {
  ec2 {
    region        = "eu-central-1"
    tags          = { service = "shop" }
    port_tag      = "port"
    status_checks = true
    interval      = "15s"
  }

  health_check {
    path = "/health"
  }

  load_balancer {
    prefer_zone {} # traffic between zones costs
  }
}

route "shop" {
  match { prefix = "/" }
  retry { attempts = 2 }
  to { upstream = upstream.shop }
}
