route "a" {
  match { prefix = "/a" }
  to { upstream = upstream.shop }
  timeout {} # ERROR: Empty timeout
}

route "b" {
  match { prefix = "/b" }
  to { upstream = upstream.shop }
  timeout { request = "48h" } # ERROR: Invalid value
}

route "c" {
  match { prefix = "/c" }
  to { upstream = upstream.shop }
  timeout { reqest = "1s" } # ERROR: Unsupported argument
}
