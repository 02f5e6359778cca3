route "a" {
  match { prefix = "/a" }
  to { upstream = upstream.shop }
  response {} # ERROR: Empty response
}

route "b" {
  match { prefix = "/b" }
  to { upstream = upstream.shop }
  response {
    status     = ["2xx", "20x", "100"] # ERROR: Invalid status
    set_status = 99                    # ERROR: Invalid status
    headers    = { connection = "x" }  # ERROR: Invalid header name
    body       = "sorry"               # ERROR: Missing content type
  }
}

route "c" {
  match { prefix = "/c" }
  to { upstream = upstream.shop }
  response {
    set_status   = response.status == 404 ? 204 : 200     # ERROR: Status without a body
    body         = "{\"name\": \"${response.body.name}\"" # ERROR: JSON made of text
    content_type = "application/problem+json"
  }
}

route "d" {
  match { prefix = "/d" }
  to { upstream = upstream.shop }
  response {
    content_type = "text/html; charset=utf-8"
    body         = <<-EOT
      <script>let name = "${response.body.name}"</script>        # ERROR: Unsafe place for a value
      <a href="${response.body.url}">${response.body.name}</a>   # ERROR: Unsafe place for a value
      <p title=${response.body.name}>${response.body.name}</p>   # ERROR: Unsafe place for a value
      <p onclick="go('${response.body.name}')">go</p>            # ERROR: Unsafe place for a value
      %{if response.body.big~}<b title="%{endif~}                # ERROR: Template leaves HTML undecided
      ">%{for s in response.body.steps~}<i%{endfor~}             # ERROR: Template leaves HTML undecided
    EOT
  }
}

route "e" {
  match { prefix = "/e" }
  to { upstream = upstream.shop }
  response {
    content_type = "text/html"
    body         = "<p title='${response.body.name}" # ERROR: Unfinished HTML
  }
}

route "f" {
  match { prefix = "/f" }
  to { upstream = upstream.shop }
  response {
    content_type = "image/svg+xml"
    body         = "<svg><text>${response.body.name}</text></svg>" # ERROR: Unsafe place for a value
  }
}

route "g" {
  match { prefix = "/g" }
  to { upstream = upstream.shop }
  response {
    content_type = "text/html"
    body         = response.body.ok ? response.body : { error = response.status } # ERROR: Object as text
  }
}
