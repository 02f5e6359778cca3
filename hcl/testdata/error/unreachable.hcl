route "unreachable" {
  match {
    path = "/a//b" # ERROR: Unreachable path
  }
  match {
    prefix = "/a/../b" # ERROR: Unreachable path
  }
  match {
    path = "/a%2Fb/{id}" # ERROR: Unreachable path
  }
  match {
    path = "/ü" # ERROR: Unreachable path
  }
  match {
    path = "/%41" # ERROR: Unreachable path
  }
  match {
    path = "/fine/a%20b/{id}.bin"
  }
  match {
    prefix = "/fine/"
  }
  respond {}
}
