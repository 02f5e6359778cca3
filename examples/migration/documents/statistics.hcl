# gRPC methods called with JSON over HTTP; the service has no annotations.
route "count" {
  match {
    method = "GET"
    path   = "/statistics/{operation}"
  }
  to { function = function.statistics.Get }
}

route "record" {
  match {
    method = "POST"
    path   = "/statistics/{operation}"
  }
  to { function = function.statistics.Record }
}

route "counts" {
  match {
    method = "GET"
    path   = "/statistics"
  }
  to { function = function.statistics.List }
}
