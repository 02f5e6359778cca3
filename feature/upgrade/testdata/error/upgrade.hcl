route "a" {
  upgrade {
    protocols = ["web socket"] # ERROR: Invalid protocol
  }
  to { upstream = upstream.shop }
}

route "b" {
  upgrade {
    protocols = ["websocket", "WebSocket"] # ERROR: Invalid protocol
  }
  to { upstream = upstream.shop }
}

route "c" {
  upgrade {
    protocols = ["CONNECT"] # ERROR: Invalid protocol
  }
  to { upstream = upstream.shop }
}

route "d" {
  upgrade {
    protocols = ["h2c"] # ERROR: Invalid protocol
  }
  to { upstream = upstream.shop }
}
