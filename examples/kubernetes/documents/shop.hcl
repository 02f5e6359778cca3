upstream "shop" {
  # The machines that it comes from.
  static {
    weight    = 90
    endpoints = ["10.0.0.1:8080", "10.0.0.2:8080"]
  }

  # The pods of its service.
  kubernetes {
    weight  = 10
    service = "shop"
    port    = "http"
  }

  health_check {
    path = "/health"
  }
}

route "shop" {
  match { prefix = "/" }
  to { upstream = upstream.shop }
}
