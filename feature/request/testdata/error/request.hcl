route "a" {
  match { prefix = "/a" }
  to { upstream = upstream.shop }
  request {} # ERROR: Empty request
}

route "b" {
  match { path = "/b/{id}" }
  to { upstream = upstream.shop }
  request {
    method  = "get"                    # ERROR: Invalid method
    path    = "/users/{id}"            # ERROR: Invalid path
    headers = { ":method" = "POST" }   # ERROR: Invalid header name
    body    = "{\"id\": ${request.id}" # ERROR: Missing content type
  }
}

route "c" {
  match { path = "/c/{id}" }
  to { upstream = upstream.shop }
  request {
    method       = request.query.safe == "1" ? "GET" : "STORE" # ERROR: Invalid method
    path         = request.path.id                             # ERROR: Invalid path
    body         = "{\"id\": \"${request.path.id}\"}"          # ERROR: JSON made of text
    content_type = "application/json"
  }
}

route "d" {
  match { prefix = "/d" }
  to { upstream = upstream.shop }
  request {
    path         = "/a/../b?c=${request.query.c}" # ERROR: Invalid path
    body         = "a=${request.query.a}"         # ERROR: Form that is no object
    content_type = "application/x-www-form-urlencoded"
    headers = {
      X-One  = "1"
      x-one  = "2"      # ERROR: Duplicate header
      x-line = "a\nb"   # ERROR: Unsupported header value
      x-list = { a = 1 } # ERROR: Unsupported header value
      host   = "a.test" # ERROR: Invalid header name
    }
  }
}

route "e" {
  match { prefix = "/e" }
  to { upstream = upstream.shop }
  request {
    path         = "/a b/${lower(request.query.c)}" # ERROR: Invalid path
    content_type = "application/json"               # ERROR: Content type without a body
  }
}

route "f" {
  match { prefix = "/f" }
  to { upstream = upstream.shop }
  request {
    path         = "/users/./me"                     # ERROR: Invalid path
    body         = { a = request.query.a }           # ERROR: Object as text
    headers      = { content-type = "text/csv" }     # ERROR: Two content types
    content_type = "text/plain; charset=iso-8859-15"
  }
}

route "g" {
  match { prefix = "/g" }
  to { upstream = upstream.shop }
  request {
    body         = "a"
    content_type = "json" # ERROR: Invalid content type
  }
}

route "h" {
  match { prefix = "/h" }
  to { upstream = upstream.shop }
  request {
    path  = "/a/${response.status}"           # ERROR: Request-time value
    query = { hash = sha256(request.body.a) } # ERROR: Function not available for a request
    body  = { a = request.bdy.a }             # ERROR: Unsupported attribute
  }
}
