gateway "edge" {
  listener "http" { port = 8080 }
}

upstream "shop" {
  static { endpoints = ["10.0.0.1:8080"] }
}

route "a" {
  match { prefix = "/a" }
  cors {
    origins     = ["*"]
    credentials = true # ERROR: Credentials for every origin
  }
  to { upstream = upstream.shop }
}

route "b" {
  match { prefix = "/b" }
  cors {
    origin_regexes = ["https://.*"]
    credentials    = true  # ERROR: Credentials for every origin
    headers        = ["*"] # ERROR: Invalid header name
  }
  to { upstream = upstream.shop }
}

route "c" {
  match { prefix = "/c" }
  cors {} # ERROR: Missing origins
  to { upstream = upstream.shop }
}

route "d" {
  match { prefix = "/d" }
  cors {
    origins        = ["https://a.example/"] # ERROR: Invalid origin
    origin_regexes = ["("]                  # ERROR: Invalid regular expression
    methods        = ["put"]                # ERROR: Invalid method
    expose         = ["a b"]                # ERROR: Invalid header name
  }
  to { upstream = upstream.shop }
}

route "e" {
  match { prefix = "/e" }
  cors {
    origins = ["https://a.example"]
    max_age = "48h" # ERROR: Invalid value
  }
  to { upstream = upstream.shop }
}
