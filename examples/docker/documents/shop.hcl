gateway "edge" {
  listener "http" { port = 8080 }
}

upstream "shop" {
  docker {
    labels  = { service = "shop" }
    network = "web"
    port    = 8080
  }
}

route "shop" {
  match { prefix = "/" }
  to { upstream = upstream.shop }
}

# The label "version" of a container is what a subset selects by.
route "preview" {
  match { prefix = "/preview" }
  to {
    upstream = upstream.shop
    subset   = { meta = { version = "2" } }
    fallback = true
  }
}
