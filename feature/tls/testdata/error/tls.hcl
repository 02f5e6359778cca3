secret "ca" {
  vault_kv { path = "ca" }
}

upstream "a" {
  static { endpoints = ["10.0.0.1:443"] }
  tls {} # ERROR: Missing name
}

upstream "b" {
  static { endpoints = ["10.0.0.1:443"] }
  tls {
    sni      = "shop.internal"
    ca       = secret.ca
    ca_file  = "/etc/ca.pem" # ERROR: Two authorities
    insecure = true          # ERROR: Two rules for one certificate
  }
}

upstream "c" {
  static { endpoints = ["10.0.0.1:443"] }
  tls { sni = "10.0.0.1" } # ERROR: Invalid name
}

upstream "d" {
  static { endpoints = ["10.0.0.1:443"] }
  tls {
    sni = "shop.internal"
    ca  = secret.missing # ERROR: Unknown secret
  }
}
