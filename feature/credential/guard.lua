-- The filter before this one has put the secret into the header, or removed the header where the secret is not known.
local function check(handle)
  local context, headers = handle:filterContext(), handle:headers()
  local header, prefix = context:get("header"), context:get("prefix")
  local value = headers:get(header)
  if value == nil or value == "" then return false end
  if prefix ~= "" then headers:replace(header, prefix .. value) end
  return true
end

-- An error would let the request pass, so there is none.
function envoy_on_request(handle)
  local ok, known = pcall(check, handle)
  if ok and known then return end
  handle:respond(
    {[":status"] = "503", ["content-type"] = "application/json", ["x-sluice-error"] = "credential_unknown"},
    '{"error":"the gateway does not know the credential that this route sends","reason":"credential_unknown"}')
end
