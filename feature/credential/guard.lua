-- The filter before this one has put the secret into the header, or removed the header where the secret is not known.
function envoy_on_request(handle)
  local context = handle:filterContext()
  local header, prefix = context["header"], context["prefix"]
  local value = handle:headers():get(header)
  if value == nil or value == "" then
    handle:respond(
      {[":status"] = "503", ["content-type"] = "application/json", ["x-sluice-error"] = "credential_unknown"},
      '{"error":"the gateway does not know the credential that this route sends","reason":"credential_unknown"}')
    return
  end
  if prefix ~= "" then
    handle:headers():replace(header, prefix .. value)
  end
end
