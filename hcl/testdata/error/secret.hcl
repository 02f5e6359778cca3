secret "none" { # ERROR: Invalid secret
}
secret "two" { # ERROR: Invalid secret
  env { name = "A" }
  file { path = "/x" }
}
secret "aws" {
  vault_aws {
    role         = "/lambda"                 # ERROR: Invalid secret
    type         = "iam_user"
    ttl          = "1h"                      # ERROR: Invalid secret
    role_arn     = "arn:aws:iam::1:role/x"   # ERROR: Invalid secret
    region       = "here"                    # ERROR: Invalid region
    sts_endpoint = "ftp://x"                 # ERROR: Invalid endpoint
  }
}
secret "sts" {
  vault_aws {
    role = "x"
    type = "session_token"
    ttl  = "1m" # ERROR: Invalid secret
  }
}
secret "types" {
  vault_aws {
    role = "x"
    type = "user" # ERROR: Invalid value
  }
}
secret "kv" {
  vault_kv {
    path     = "x"
    version  = 3         # ERROR: Invalid value
    interval = "1ms"     # ERROR: Invalid value
  }
}
secret "kv_version" {
  vault_kv {
    mount   = "kv//v2"   # ERROR: Invalid secret
    path    = "../x"     # ERROR: Invalid secret
  }
}
secret "file" {
  file {
    path  = ""  # ERROR: Invalid secret
    field = "x" # ERROR: Invalid secret
  }
}
secret "env" {
  env { name = "A B" } # ERROR: Invalid secret
}
locals {
  leak = secret.aws # ERROR: Secret in an expression
}
route "leaks" {
  respond {
    body = "key: ${secret.aws}" # ERROR: Secret in an expression
  }
  headers {
    set = { x = "${request.host} ${secret.aws.access_key}" } # ERROR: Secret in an expression
  }
}
route "args" {
  to {
    function = function.math.f
    args     = { key = secret.aws } # ERROR: Secret in an expression
  }
}
