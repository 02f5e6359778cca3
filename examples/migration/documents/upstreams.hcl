# The old one. Its OpenAPI document tells what it can do: function.monolith.divide and so on.
upstream "monolith" {
  consul { service = "monolith" }
  openapi {}
}

# A gRPC service. Server reflection tells its methods: function.statistics.Get and so on.
upstream "statistics" {
  consul { service = "statistics" }
  grpc {}
}

# Lambdas of one account and region, those of this team: function.math.divide and so on.
upstream "math" {
  lambda {
    region      = "us-east-1"
    endpoint    = kv("aws/endpoint", "http://127.0.0.1:4566") # the simulator's; left out, it is AWS
    credentials = secret.aws
    tags        = { team = "calculator" }
  }
}

# Vault makes an IAM user for it, and another before that one expires.
secret "aws" {
  vault_aws {
    role         = "lambda-invoker"
    sts_endpoint = kv("aws/endpoint", "http://127.0.0.1:4566")
  }
}
