gateway "edge" {
  listener "http" { port = 8080 }
}
