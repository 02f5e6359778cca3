# Every machine in the folder that runs and has an address in the network of the services. Who clones another one into
# the folder has a further endpoint, as soon as it passes the check.
upstream "shop" {
  vsphere {
    folder = "/DC0/vm/shop"
    port   = 8080
    cidr   = "10.0.0.0/8"
  }

  health_check {
    path     = "/health"
    interval = "3s"
  }
}

route "shop" {
  match { prefix = "/" }
  retry { attempts = 2 }
  to { upstream = upstream.shop }
}
