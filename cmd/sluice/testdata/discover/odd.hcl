# consul: 3 endpoints; datacenter dc1, tags primary
upstream "shop" {
  consul { service = "shop" }
}

# consul: 1 endpoint
upstream "shop-web" {
  consul {
    service      = "Shop.Web"
    tags         = ["v1", "a\"b"]
    passing_only = true
    connection   = "east"
  }
}

# nomad: 2 endpoints; namespace default
upstream "shop-nomad" {
  nomad { service = "shop" }
}

# nomad: 2 endpoints; namespace team } route "x" {
upstream "shop-nomad-2" {
  nomad {
    service   = "shop"
    checks    = true
    namespace = "team"
  }
}

# nomad: 0 endpoints; tags %{if}
upstream "env-1" {
  nomad {
    service = "$${env(1)}"
    tags    = ["%%{ if x }"]
  }
}

# ec2: 12 endpoints; in eu-central-1a
upstream "web" {
  ec2 {
    region = "eu-central-1"
    tags = {
      Name       = "web-*"
      "app:role" = "front"
    }
    port = 80
  }
}

# ec2: 1 endpoint
upstream "n-code-name" {
  ec2 {
    region        = "eu-central-1"
    filters       = { vpc-id = ["vpc-1", "vpc-2"] }
    port_tag      = "port"
    address       = "public"
    status_checks = true
    interval      = "1m30s"
  }
}

# vsphere: 2 endpoints; /DC0/vm/123: one, two
upstream "u-123" {
  vsphere {
    folder = "/DC0/vm/123"
    port   = 80
  }
}

# vsphere: 1 endpoint
upstream "u" {
  vsphere {
    name        = "a*"
    attributes  = { owner = "x\ty" }
    port        = 8080
    credentials = secret.vcenter
  }
}

# static: 2 endpoints
upstream "written" {
  static {
    endpoints = ["10.0.0.1:80"]

    endpoint "10.0.0.2:80" { zone = "a" }

    endpoint "10.0.0.3:80" {
      weight = 7
      tags   = ["v2"]
    }
  }
}

# kubernetes: 2 endpoints; namespace default
upstream "shop-kubernetes" {
  kubernetes {
    service   = "shop"
    namespace = "default"
    port      = "http"
  }
}

# docker: 1 endpoint
upstream "compose-web" {
  docker {
    labels    = { "com.docker.compose.service" = "web" }
    port      = 80
    published = true
  }
}

# dns: 1 endpoint
upstream "name" {
  dns {
    name     = "shop.example.com"
    port     = 80
    interval = "1h"
  }
}
