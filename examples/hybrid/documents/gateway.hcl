gateway "edge" {
  listener "http" { port = kv("edge/port", 8080) }
}
