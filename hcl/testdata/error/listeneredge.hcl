gateway "a" {
  listener "networks" {
    port            = 8080
    trusted_proxies = ["10.0.0.0/8", "ten"] # ERROR: Invalid network
  }
  listener "everybody" {
    port            = 8081
    trusted_proxies = ["0.0.0.0/0"] # ERROR: Everybody is trusted
  }
  listener "twice" {
    port            = 8082
    trusted_proxies = ["10.0.0.0/8", "10.1.0.0/8"] # ERROR: Duplicate network
  }
  listener "hops" {
    port         = 8083
    trusted_hops = 17 # ERROR: Invalid value
  }
  listener "scope" {
    port  = 8084
    scope = "first_segment"
    redirect_https {} # ERROR: Useless scope
  }
  listener "status" {
    port = 8085
    redirect_https { status = 302 } # ERROR: Invalid value
  }
  listener "proxy" {
    port           = 8086
    proxy_protocol = "maybe" # ERROR: Invalid value
  }
}
