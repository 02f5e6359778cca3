-- The way back.
local onresponse, response_header, response_body, framing
do
  -- matches says whether a status is in one of the ranges of a list: pairs of the first and the last.
  local function matches(list, status)
    if not list then return true end
    for i = 1, #list, 2 do
      if status >= list[i] and status <= list[i + 1] then return true end
    end
    return false
  end

  -- stashed is what the way out left for the way back.
  local function stashed(h, c)
    local md = h:streamInfo():dynamicMetadata():get("sluice.script")
    c.q = {}
    local mode = md and md.head
    c.head, c.drop, c.bare = mode == "1" or mode == "4", mode == "2" or mode == "4", mode == "3"
    if not md or not md.q then return end
    local list = decode(md.q)
    for i = 1, list[0] do
      local v = list[i]
      if v == NULL then v = nil end
      c.q[i] = v
    end
  end

  -- framing reads, once, who expects no body.
  function framing(h, c)
    if c.drop == nil then stashed(h, c) end
  end

  -- ishead says whether the response has no body because nobody asked for one. A response with a body says it all.
  local function ishead(h, c)
    if c.head == nil then
      if c.raw and c.raw ~= "" then c.head = false else stashed(h, c) end
    end
    return c.head
  end

  -- load reads the body into c, where it is not there yet, and gets the headers anew: they die while it waits.
  local function load(h, prog, c)
    if c.raw then return end
    if (tonumber((c.hs:get("content-length"))) or 0) > prog.limit and not ishead(h, c) and not c.bare then refuse(502, "response_too_large") end
    local coding = c.hs:get("content-encoding")
    c.coding = coding or false
    if coding and coding:lower() ~= "identity" and not c.bare and c.status ~= 204 and c.status ~= 304 and not ishead(h, c) then refuse(502, "encoded_response") end
    c.b = h:body(true)
    c.hs = h:headers()
    local n = c.b:length()
    if n > prog.limit then refuse(502, "response_too_large") end
    c.raw = n > 0 and c.b:getBytes(0, n) or ""
    if not c.ctype then c.ctype = c.hs:get("content-type") end
  end

  local function eval(f, c)
    budget = MAX_STEPS
    return f(c)
  end

  local function status(v)
    local n = number(v)
    if not n or n ~= floor(n) or n < 200 or n > 599 then fail("no status") end
    return n
  end


  -- step applies one change. Its expressions see the response as the changes before left it.
  local function step(h, s, c)
    local code, heads, body, ctype = c.status, {}, nil, nil
    if s.c then code = status(eval(s.c, c)) end
    if s.h then
      for i = 1, #s.h do
        local v = eval(s.h[i][2], c)
        heads[i] = {s.h[i][1], v ~= nil and headertext(v) or false}
      end
    end
    if s.b then
      if code == 204 or code == 304 or ishead(h, c) then ctype = s.t else body, ctype = bodytext(eval(s.b, c), s.t or "") end
    end
    c.status = code
    for i = 1, #heads do
      c.heads[#c.heads + 1] = heads[i]
      c.set[heads[i][1]] = heads[i][2] and concat(heads[i][2], ",") or false
    end
    if s.b then
      c.changed = true
      if body then c.raw, c.replaced, c.parsed = body, true, nil end
      if ctype and ctype ~= "" then
        c.ctype = ctype == s.t and s.ctype or contenttype(ctype)
        c.typed = true
      end
    end
  end

  local dropped = {"content-md5", "digest", "content-digest", "repr-digest", "etag", "accept-ranges", "content-range"}

  local function write(h, c, before)
    local hs = c.hs
    if c.status ~= before then hs:replace(":status", numtext(c.status)) end
    if c.changed then
      for i = 1, #dropped do hs:remove(dropped[i]) end
      if c.coding ~= false then hs:remove("content-encoding") end
      if not c.replaced then hs:remove("content-length") end -- else the new body brings its own
      if c.typed then hs:replace("content-type", c.ctype) end
    end
    for i = 1, #c.heads do
      local name, list = c.heads[i][1], c.heads[i][2]
      if list and list[1] then
        if not c.heads[i].add then hs:replace(name, list[1]) else hs:add(name, list[1]) end
        for j = 2, #list do hs:add(name, list[j]) end
      else
        hs:remove(name)
      end
    end
    if c.replaced then c.b:setBytes(c.raw) end
  end

  function onresponse(h, prog, c)
    local hs = h:headers()
    if not hs:get("x-envoy-upstream-service-time") then -- an answer of the edge itself
      if unsigned(h, hs, prog) then refuse(503, "credential_unknown") end
      return
    end
    c.hs, c.heads, c.set = hs, {}, {}
    local before = tonumber((hs:get(":status"))) or 0
    if before < 200 then return end
    c.status, c.before = before, before
    if prog.moves then framing(h, c) end
    if prog.lambda then
      unwrap(h, prog, c, load)
    end
    local steps = prog.back
    for i = 1, #steps do
      local s = steps[i]
      if matches(s.s, c.status) then
        if prog.stash > 0 and not c.q then stashed(h, c) end
        if s.b or s.reads then load(h, prog, c) end
        for j = 1, s.reads and #s.reads or 0 do response_body(c, s.reads[j]) end
        step(h, s, c)
        c.touched = true
      end
    end
    if c.replaced and #c.raw > prog.most then refuse(502, "response_too_large") end
    if c.touched then write(h, c, before) end
  end

  -- header is a response header as the changes before left it.
  function response_header(c, name)
    local v = c.set[name]
    if v == false then return nil end
    if v == nil then
      if name == "content-type" and c.typed then return c.ctype end
      v = c.hs:get(name)
    end
    if v and find(v, "[\128-\255]") and not utf8(v) then return nil end
    return v
  end

  function response_body(c, e)
    local p = c.parsed
    if not p then
      p = readbody(c.raw or "", c.ctype)
      c.parsed = p
    end
    return walk(p, e, 3, 502, "bad_response_body")
  end
end
