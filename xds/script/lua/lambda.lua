-- Lambda: the event on the way out, the answer on the way back.
local wrap, unwrap, unsigned, prepare
do
  function prepare(prog, scope)
    local l = prog.lambda
    l.payload = l.y and compile(l.y, scope)
    if l.e ~= "payload" then prog.body, prog.whole = true, true end
    prog.body = true
  end

  -- hidden are headers that are no part of an event: they concern the edge, or the event has them elsewhere.
  local function hidden(name)
    return byte(name) == 58 or sub(name, 1, 8) == "x-envoy-" or sub(name, 1, 6) == "x-amz-" or name == "content-length" or name == "transfer-encoding" or
      name == "connection" or name == "expect"
  end

  local function valid(s)
    if utf8(s) then return s end
    return (gsub(s, "[\128-\255]", "\239\191\189"))
  end

  -- collect is the headers by name: lists of values. The host has its usual name.
  local function collect(hs)
    local out = {}
    for name, v in pairs(hs) do
      if name == ":authority" then out.host = {[0] = 1, v}
      elseif not hidden(name) then
        local l = out[name] or {[0] = 0}
        l[0] = l[0] + 1
        l[l[0]] = valid(v)
        out[name] = l
      end
    end
    return out
  end

  local function field(s)
    if find(s, "+", 1, true) then s = gsub(s, "+", " ") end
    return unpercent(s) or ""
  end

  -- parameters are the query's by name: lists of values.
  local function parameters(query, read)
    local out, some = {}, false
    for p in query:gmatch("[^&]+") do
      local k, v = p:match("^([^=]*)=?(.*)$")
      k, some = read(k), true
      local l = out[k] or {[0] = 0}
      l[0] = l[0] + 1
      l[l[0]] = read(v)
      out[k] = l
    end
    return some and out or nil
  end

  local function joined(lists)
    if not lists then return nil end
    local out = {}
    for k, l in pairs(lists) do out[k] = concat(l, ",", 1, l[0]) end
    return out
  end

  local function same(s) return s end

  local function textual(ctype, raw)
    local m = ((ctype or ""):match("^%s*([^;%s]*)") or ""):lower()
    if sub(m, 1, 6) == "image/" or sub(m, 1, 6) == "audio/" or sub(m, 1, 6) == "video/" or m == "application/octet-stream" or
      m == "application/zip" or m == "application/gzip" or m == "application/pdf" then return false end
    return utf8(raw)
  end

  local function body(e, raw, ctype, coding)
    if raw == "" then
      e.isBase64Encoded = false
      return
    end
    if textual(ctype, raw) and (not coding or coding:lower() == "identity") then
      e.body, e.isBase64Encoded = raw, false
    else
      e.body, e.isBase64Encoded = base64(raw), true
    end
  end

  local function gatewayevent(h, hs, prog, c, st, raw, ctype)
    local l, heads = prog.lambda, collect(hs)
    local cookies
    if heads.cookie then
      cookies = {[0] = 0}
      for i = 1, heads.cookie[0] do
        for one in heads.cookie[i]:gmatch("[^;]+") do
          cookies[0] = cookies[0] + 1
          cookies[cookies[0]] = stripped(one)
        end
      end
      heads.cookie = nil
    end
    local agent = heads["user-agent"]
    local info = h:streamInfo()
    local vars, some = {}, false
    for k, v in pairs(getpath(prog, c.path)) do vars[k], some = unpercent(v) or "", true end
    local coding = hs:get("content-encoding")
    local e = {
      version = "2.0", routeKey = l.k, rawPath = st.path, rawQueryString = st.query, cookies = cookies, headers = joined(heads),
      queryStringParameters = joined(parameters(st.query, field)), pathParameters = some and vars or nil,
      requestContext = {
        http = {
          method = st.method, path = st.path, protocol = info:protocol(), sourceIp = address(info:downstreamRemoteAddress()),
          userAgent = agent and concat(agent, ",") or "",
        },
        domainName = heads.host and heads.host[1] or "", requestId = hs:get("x-request-id") or "", routeKey = l.k, stage = "$default",
        timeEpoch = h:timestamp(),
      },
    }
    local auth = info:dynamicMetadata():get("sluice.auth")
    if auth and type(auth.claims) == "table" then
      e.requestContext.authorizer = {jwt = {claims = metavalue(auth.claims)}}
    end
    body(e, raw, ctype, coding)
    return e
  end

  local function albevent(hs, st, raw, ctype)
    local coding = hs:get("content-encoding")
    local e = {
      requestContext = {elb = {targetGroupArn = ""}}, httpMethod = st.method, path = st.path, body = "",
      multiValueHeaders = collect(hs), multiValueQueryStringParameters = parameters(st.query, same) or {},
    }
    body(e, raw, ctype, coding)
    return e
  end

  -- wrap makes the request the invocation of the function. The headers are changed already.
  function wrap(h, hs, prog, c, st)
    local l = prog.lambda
    local ctype = st.ctype or hs:get("content-type")
    if ctype == "" then ctype = nil elseif st.ctype then hs:replace("content-type", contenttype(st.ctype)) end
    local raw, event = st.body or c.raw, nil
    budget = MAX_STEPS * 20
    if l.payload then
      budget = MAX_STEPS
      local v = l.payload(c)
      event = jsontext(v == nil and NULL or v)
    elseif l.e == "raw" then event = raw
    elseif l.e == "alb" then event = jsontext(albevent(hs, st, raw, ctype))
    else event = jsontext(gatewayevent(h, hs, prog, c, st, raw, ctype)) end
    local names = {}
    for name in pairs(hs) do
      if sub(name, 1, 6) == "x-amz-" or name == "authorization" or name == "cookie" then names[#names + 1] = name end
    end
    for i = 1, #names do hs:remove(names[i]) end
    if l.a then hs:replace("x-amz-invocation-type", "Event") end
    st.method, st.query, st.body, st.ctype = "POST", l.p:match("%?(.*)$") or "", event, l.e == "raw" and ctype or "application/json"
    st.path = l.p:match("^[^?]*")
    h:streamInfo():dynamicMetadata():set("sluice.script", "called", true)
  end

  -- A function says in its headers what only the edge may say.
  local connection = {["content-length"] = true, ["transfer-encoding"] = true, connection = true, ["keep-alive"] = true, upgrade = true,
    trailer = true, te = true, ["proxy-connection"] = true}

  local function heads(c, list, add)
    if type(list) ~= "table" or list[0] ~= nil then return end
    local keys = sorted(list)
    for i = 1, #keys do
      local name, v = keys[i]:lower(), list[keys[i]]
      if find(name, "^[%w!#$&'*+.^_|~-]+$") and not connection[name] and v ~= NULL and sub(name, 1, 6) ~= "x-amz-" then
        local t = type(v)
        if t == "table" and v[0] == nil then refuse(502, "function_answer") end
        local values = headertext(v)
        if name == "content-type" then c.ctype, c.typed = values[1], true end
        if #values > 0 then
          c.heads[#c.heads + 1] = {name, values, add = add}
          c.set[name] = concat(values, ",")
        end
      end
    end
  end

  -- proxied is the response that an answer of the known shapes stands for.
  local function proxied(c, answer, v2)
    local ok, v = pcall(decode, answer)
    if not ok then refuse(502, "function_answer") end
    local object = type(v) == "table" and v[0] == nil
    local code = object and v.statusCode
    c.changed, c.replaced, c.parsed = true, true, nil
    if code == nil or code == NULL or not object then
      if not v2 then refuse(502, "function_answer") end
      c.status, c.raw, c.ctype, c.typed = 200, answer, "application/json", true
      return
    end
    local n = number(code)
    if not n or n ~= floor(n) or n < 200 or n > 599 then refuse(502, "function_answer") end
    c.status = n
    c.ctype, c.typed = v2 and "application/json" or "application/octet-stream", true
    heads(c, v.headers, false)
    heads(c, v.multiValueHeaders, false)
    if type(v.cookies) == "table" and v.cookies[0] and v.cookies ~= NULL then
      for i = 1, v.cookies[0] do
        if type(v.cookies[i]) == "string" then c.heads[#c.heads + 1] = {"set-cookie", headertext(v.cookies[i]), add = true} end
      end
    end
    local b = v.body
    if b == nil or b == NULL then b = "" end
    if type(b) ~= "string" then b = jsontext(b) end
    if v.isBase64Encoded == true then
      b = unbase64(b)
      if not b then refuse(502, "function_answer") end
    end
    c.raw = b
    if c.head or n == 204 or n == 304 then c.raw, c.nobody = "", true end
  end

  -- unsigned says whether an answer of the edge itself stands where a call could not be signed: Envoy has no filter for it.
  function unsigned(h, hs, prog)
    if not prog.lambda or hs:get(":status") ~= "500" then return false end
    local md = h:streamInfo():dynamicMetadata():get("sluice.script")
    return md and md.called
  end

  -- unwrap reads what Lambda says of the call, and makes the response of the function's answer.
  function unwrap(h, prog, c, load)
    local l, code = prog.lambda, c.status
    local failed = c.hs:get("x-amz-function-error")
    local names = {}
    for name in pairs(c.hs) do
      if sub(name, 1, 6) == "x-amz-" or sub(name, 1, 7) == "x-amzn-" then names[#names + 1] = name end
    end
    if code == 429 then refuse(429, "function_throttled") end
    if code == 413 then refuse(413, "request_too_large") end
    if code < 200 or code > 299 then refuse(502, "function_refused") end
    if failed then
      load(h, prog, c)
      if find(c.raw, "Task timed out", 1, true) or find(c.raw, "Sandbox.Timedout", 1, true) then refuse(504, "function_timeout") end
      refuse(502, "function_error")
    end
    budget = MAX_STEPS * 20
    c.touched = true
    if not l.a and l.w ~= "raw" then
      load(h, prog, c)
      proxied(c, c.raw, l.w ~= "alb")
    end
    for i = 1, #names do c.hs:remove(names[i]) end
  end
end
