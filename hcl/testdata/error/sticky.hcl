route "one" {
  to { upstream = upstream.a }
  sticky { # ERROR: Invalid sticky block
    header = "x-user"
  }
}
route "answer" {
  respond {}
  sticky { # ERROR: Invalid sticky block
    cookie = "session"
  }
}
route "none" {
  to { upstream = upstream.a }
  to { upstream = upstream.b }
  sticky {} # ERROR: Invalid sticky block
}
route "both" {
  to { upstream = upstream.a }
  to { upstream = upstream.b }
  sticky { # ERROR: Invalid sticky block
    header = "x-user"
    cookie = "session"
  }
}
route "cookie" {
  to { upstream = upstream.a }
  to { upstream = upstream.b }
  sticky {
    cookie = "a b" # ERROR: Invalid sticky block
  }
}
route "header" {
  to { upstream = upstream.a }
  to { upstream = upstream.b }
  sticky {
    header = ":path" # ERROR: Invalid sticky block
  }
}
route "underscore" {
  to { upstream = upstream.a }
  to { upstream = upstream.b }
  sticky {
    header = "x_user" # ERROR: Invalid sticky block
  }
}
route "cookies" {
  to { upstream = upstream.a }
  to { upstream = upstream.b }
  sticky {
    header = "Cookie" # ERROR: Invalid sticky block
  }
}
route "twice" {
  to { upstream = upstream.a }
  to { upstream = upstream.b }
  sticky { header = "x-user" }
  sticky { header = "x-user" } # ERROR: Duplicate sticky block
}
