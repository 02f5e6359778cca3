upstream "shop" {
  nomad {
    service     = "shop"
    tags        = ["live"]
    canary_tags = ["canary"]
    checks      = true # a new allocation takes no traffic before its checks pass
  }

  outlier {
    consecutive_5xx = 3
  }
}

# Who asks for it meets the canaries of a deployment; all others meet what is live.
route "shop" {
  match { prefix = "/" }

  variant "canary" {
    match {
      header "x-canary" { present = true }
    }
    subset   = { meta = { canary = "true" } }
    fallback = true
  }

  retry { attempts = 2 }

  to {
    upstream = upstream.shop
    subset   = { meta = { canary = "false" } }
  }
}
