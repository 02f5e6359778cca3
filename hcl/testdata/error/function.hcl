upstream "shop" {
  static { addresses = ["10.0.0.1:80"] }
  openapi {
    path = "/openapi.json"
    file = "shop.json" # ERROR: Invalid openapi block
  }
}
upstream "paths" {
  static { addresses = ["10.0.0.1:80"] }
  openapi {
    path    = "openapi.json"        # ERROR: Invalid path
    headers = { "a b" = "x" }       # ERROR: Invalid header
  }
  grpc {
    reflection = false
    services   = ["a.B"]            # ERROR: Invalid grpc block
  }
}
upstream "services" {
  static { addresses = ["10.0.0.1:80"] }
  grpc {
    services = ["a.B", "a.B", "x y"] # ERROR: Invalid grpc block
  }
  grpc { # ERROR: Duplicate grpc block
  }
}
upstream "math" {
  static { addresses = ["10.0.0.1:80"] } # ERROR: Invalid upstream
  openapi { # ERROR: Invalid upstream
  }
  grpc { # ERROR: Invalid upstream
  }
  lambda {
    region      = "eu-central-1"
    credentials = secret.aws
  }
}
upstream "bare" {
  lambda { # ERROR: Missing required argument
    region = "eu-central-1"
  }
}
upstream "bad" {
  lambda {
    region      = "Frankfurt"       # ERROR: Invalid region
    credentials = secret.aws
    endpoint    = "localhost:4566"  # ERROR: Invalid endpoint
    discover    = false
    tags        = { a = "b" }       # ERROR: Invalid lambda block
    prefix      = "x-"              # ERROR: Invalid lambda block
  }
}
upstream "url" {
  lambda {
    region      = "eu-central-1"
    credentials = secret.aws
    url         = "https://abc.lambda-url.eu-central-1.on.aws/divide" # ERROR: Invalid url
    endpoint    = "https://lambda.example.com"                        # ERROR: Invalid lambda block
    tags        = { a = "b" }                                         # ERROR: Invalid lambda block
  }
}
upstream "quoted" {
  lambda {
    region      = "eu-central-1"
    credentials = "aws"             # ERROR: Invalid reference
  }
}
upstream "none" { # ERROR: Invalid upstream
}

function "shop" { # ERROR: Missing name for function
}
function "Shop" "x" { # ERROR: Invalid name
}
function "shop" "" { # ERROR: Invalid name
}
function "shop" "x[\"k\"]" { # ERROR: Invalid name
}
function "shop" "any name, such as GET /x/{id}" {
  retry {}
}
function "shop" "empty" { # ERROR: Invalid function
}
function "shop" "pathless" {
  method = "POST" # ERROR: Invalid function
}
function "shop" "laid" {
  query        = { a = "x" } # ERROR: Invalid function
  headers      = { a = "x" } # ERROR: Invalid function
  body         = { a = "x" } # ERROR: Invalid function
  content_type = "text/x"    # ERROR: Invalid function
}
function "shop" "wrong" {
  method       = "post"          # ERROR: Invalid method
  path         = "x/{a"          # ERROR: Invalid path
  content_type = "text/plain"    # ERROR: Invalid content type
  headers      = { "a b" = "x" } # ERROR: Invalid header
  query        = { "" = "x" }    # ERROR: Invalid query
  event        = "raw"           # ERROR: Invalid function
}
function "shop" "bodyless" {
  path = "/x"
  body = { a = arg.a } # ERROR: Invalid function
}
function "shop" "late" {
  method = "POST"
  path   = "/x/${arg.x}"                       # ERROR: Request-time value
  body   = { a = request.host }                # ERROR: Request-time value
  query  = { a = arg }                         # ERROR: Invalid reference
}

route "calls" {
  to {
    upstream = upstream.shop
    args     = { a = 1 }      # ERROR: Invalid destination
    event    = "raw"          # ERROR: Invalid destination
    async    = true           # ERROR: Invalid destination
    stream   = "sse"          # ERROR: Invalid destination
  }
}
route "paths" {
  to {
    function       = function.shop.get
    path           = "/x"     # ERROR: Invalid destination
    args           = { a = 1 }
    event          = "alb"    # ERROR: Invalid destination
  }
}
route "events" {
  to {
    function = function.math["fn:live"]
    event    = "sns"          # ERROR: Invalid value
    stream   = "lines"        # ERROR: Invalid value
  }
}
route "references" {
  to {
    function = function.shop              # ERROR: Invalid reference
  }
  to {
    function = function["shop"].get       # ERROR: Invalid reference
  }
  to {
    function = function.a.b.c             # ERROR: Invalid reference
  }
  to {
    function = function.a["b"]["c"]["d"]["e"] # ERROR: Invalid reference
  }
  to {
    function = "function.shop.get"        # ERROR: Invalid reference
  }
}
