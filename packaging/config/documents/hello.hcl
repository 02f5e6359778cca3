# Something to see at once: curl http://127.0.0.1:8080/

gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = 8080
  }
}

route "hello" {
  hosts = ["*"]
  respond {
    status = 200
    body   = "sluice is at home here.\n"
  }
}
