route "a" {
  match { prefix = "/a" }
  to { upstream = upstream.shop }
  mirror {
    upstream = upstream.next
    percent  = 120 # ERROR: Invalid value
  }
}

route "b" {
  match { prefix = "/b" }
  to { upstream = upstream.shop }
  mirror { upstream = upstream.nobody } # ERROR: Unknown upstream
}

route "c" {
  match { prefix = "/c" }
  to { upstream = upstream.shop }
  mirror {} # ERROR: Missing required argument
}
