# Where clients come in. `sluice dev` binds it to loopback.
gateway "edge" {
  listener "http" { port = 8080 }
}
