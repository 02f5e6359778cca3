policy "standard" {
  timeout { request = "5s" }
  retry {
    attempts = 2
    on       = ["connect-failure", "503"]
  }
}

# What the gateway's clients call, whoever answers. What nobody has touched yet is the monolith's own.
route "add" {
  match { function = function.monolith.add }
  policies = [policy.standard]
  to { function = function.monolith.add }
}

route "subtract" {
  match { function = function.monolith.subtract }
  policies = [policy.standard]
  to { function = function.monolith.subtract }
}

# Moving. `consul kv put sluice/values/canary/divide 50` sends half of the divisions to the Lambda, which has other names
# for everything; clients notice nothing.
locals {
  share = kv("canary/divide", 0)
}

route "divide" {
  match { function = function.monolith.divide }
  policies = [policy.standard]

  to {
    function = function.math.divide
    weight   = local.share
    args     = { dividend = tonumber(request.path.a), divisor = tonumber(request.path.b) }

    response {
      status = ["2xx"]
      body = {
        operation = "divide"
        a         = tonumber(request.path.a)
        b         = tonumber(request.path.b)
        result    = response.body.quotient
      }
    }
  }
  to {
    function = function.monolith.divide
    weight   = 100 - local.share
  }
}

# Moved: the Lambda answers as the monolith did.
route "multiply" {
  match { function = function.monolith.multiply }
  policies = [policy.standard]
  to {
    function = function.math.multiply
    args     = { a = tonumber(request.path.a), b = tonumber(request.path.b) }
  }
}

# New: it never was in the monolith. The Lambda gets an API Gateway event.
route "power" {
  match {
    method = "GET"
    path   = "/power/{base}/{exponent}"
  }
  policies = [policy.standard]
  to { function = function.math.power }
}

# A page made of the monolith's JSON.
route "table" {
  match {
    method = "GET"
    path   = "/table/{n}"
  }
  policies = [policy.standard]
  to { function = function.monolith.table }

  response {
    status       = ["2xx"]
    content_type = "text/html"
    body         = <<-EOT
      <h1>${response.body.of}</h1>
      <ul>
      %{ for row in response.body.rows ~}
      <li>${row.times} × ${response.body.of} = ${row.product}</li>
      %{ endfor ~}
      </ul>
    EOT
  }
}
