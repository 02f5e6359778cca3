gateway "edge" {
  listener "http" { port = 8080 }
}

upstream "shop" {
  static { endpoints = ["10.0.0.1:8080"] }
}

route "a" {
  match { prefix = "/a" }
  csrf { origins = ["https://a.example"] } # ERROR: Invalid origin
  to { upstream = upstream.shop }
}

route "b" {
  match { prefix = "/b" }
  csrf { origins = ["A.example"] } # ERROR: Invalid origin
  to { upstream = upstream.shop }
}
