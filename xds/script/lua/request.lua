-- The way out.
local onrequest
do
  local function stringornil(s)
    if s and find(s, "[\128-\255]") and not utf8(s) then return nil end
    return s
  end

  -- capture reads what the program needs of the client's request into c.q.
  local function capture(h, hs, prog, c)
    local q, vars, query, auth = {}, nil, nil, nil
    local target = hs:get(":path") or "/"
    local mark = find(target, "?", 1, true)
    c.path, c.query = mark and sub(target, 1, mark - 1) or target, mark and sub(target, mark + 1) or ""
    c.method = hs:get(":method")
    local needs = prog.needs
    for slot = 1, #needs do
      local e = needs[slot]
      local what, v = e[2], nil
      if what == "method" then v = c.method
      elseif what == "host" then v = hs:get(":authority")
      elseif what == "client_ip" then v = address(h:streamInfo():downstreamRemoteAddress())
      elseif what == "id" then v = hs:get("x-request-id")
      elseif what == "headers" then v = stringornil(hs:get(e[3] == "host" and ":authority" or e[3]))
      elseif what == "path" then
        vars = vars or getpath(prog, c.path)
        v = vars[e[3]]
        if v then v = unpercent(v) end
      elseif what == "query" then
        query = query or getquery(c.query)
        v = query[e[3]]
      elseif what == "auth" then
        auth = auth or {v = metavalue(h:streamInfo():dynamicMetadata():get("sluice.auth"))}
        v = walk(auth, e, 3)
      elseif what == "body" then v = walk(c.body, e, 3, 400, "bad_request_body") end
      q[slot] = v
    end
    c.q = q
  end

  -- setpath is the path that a template made, or the end of the request.
  local function setpath(v)
    if v == nil then refuse(400, "missing_path_value") end
    local p = text(v)
    if byte(p) ~= 47 or find(p, "[?#%z\2- \127-\255]") then fail("no path") end
    if find(p, "\1", 1, true) then
      for seg in p:gmatch("/([^/]*)") do
        if find(seg, "^\1+$") then refuse(400, "empty_path_segment") end
      end
      p = gsub(p, "\1", "")
    end
    for seg in p:gmatch("/([^/]*)") do
      local plain = gsub(seg, "%%2[eE]", ".")
      if plain == "." or plain == ".." then refuse(400, "path_traversal") end
    end
    return p
  end

  local function eval(f, c)
    budget = MAX_STEPS
    return f(c)
  end

  local function pairsof(list, c)
    local out = {}
    for i = 1, #list do out[i] = {list[i][1], eval(list[i][2], c)} end
    return out
  end

  -- step applies one change to the state.
  local function step(s, c, st)
    if s.m then
      local m = text(eval(s.m, c)):upper()
      if m == "" or m == "CONNECT" or m == "TRACE" or find(m, "[^A-Z-]") then fail("no method") end
      st.method = m
    end
    if s.p then st.path = setpath(eval(s.p, c)) end
    if s.d then st.query = "" end
    if s.u then st.query = setquery(st.query, pairsof(s.u, c)) end
    if s.h then
      for _, kv in ipairs(pairsof(s.h, c)) do st.heads[#st.heads + 1] = {kv[1], kv[2] ~= nil and headertext(kv[2]) or nil} end
    end
    if s.b then
      st.body, st.ctype = bodytext(eval(s.b, c), s.t or "")
    elseif s.x then st.body, st.ctype = "", "" end
  end

  local function bytesof(b)
    local n = b:length()
    return n > 0 and b:getBytes(0, n) or ""
  end

  local dropped = {"content-encoding", "content-md5", "digest", "content-digest", "repr-digest", "transfer-encoding", "expect"}

  -- whole asks the upstream for whole answers in clear.
  local function whole(hs)
    hs:remove("accept-encoding")
    hs:remove("range")
    hs:remove("if-range")
  end

  -- framing tells the way back which of the two expects no body: "1" client and upstream, "2" the client alone, "3" the
  -- upstream alone; "4" as "2", but nobody makes one either: the function was told of the HEAD.
  local function framing(h, prog, method, sent)
    local mode
    if method == "HEAD" then
      if sent ~= "HEAD" or prog.lambda and prog.lambda.payload then mode = "2"
      else mode = prog.lambda and "4" or "1" end
    elseif sent == "HEAD" and not prog.lambda then mode = "3" end
    if mode then h:streamInfo():dynamicMetadata():set("sluice.script", "head", mode) end
  end

  function onrequest(h, prog)
    if prog.passive then -- it looks at nothing of the request
      local hs = h:headers()
      local method = hs:get(":method")
      framing(h, prog, method, method)
      if prog.identity then whole(hs) end
      return
    end
    local c, b = {}, nil
    if prog.body then
      local hs = h:headers()
      if prog.reads then
        local coding = hs:get("content-encoding")
        if coding and coding:lower() ~= "identity" then refuse(415, "encoded_request") end
      end
      if (tonumber((hs:get("content-length"))) or 0) > prog.limit then refuse(413, "request_too_large") end
      local ctype = hs:get("content-type")
      b = h:body(true)
      if b:length() > prog.limit then refuse(413, "request_too_large") end
      c.ctype = ctype
      if prog.reads then
        c.body = readbody(bytesof(b), ctype)
      end
      if prog.whole then c.raw = bytesof(b) end
    end
    local hs = h:headers()
    budget = MAX_STEPS
    capture(h, hs, prog, c)
    local st = {method = c.method, path = c.path, query = c.query, heads = {}}
    local steps = prog.steps
    for i = 1, #steps do step(steps[i], c, st) end
    if prog.stash > 0 then
      local list = {[0] = prog.stash}
      for i = 1, prog.stash do
        local v = c.q[i]
        if v == nil then v = NULL end
        list[i] = v
      end
      budget = MAX_STEPS
      h:streamInfo():dynamicMetadata():set("sluice.script", "q", jsontext(list))
    end
    framing(h, prog, c.method, st.method)
    if prog.identity then whole(hs) end
    for i = 1, #st.heads do
      local name, list = st.heads[i][1], st.heads[i][2]
      if list and list[1] then
        hs:replace(name, list[1])
        for j = 2, #list do hs:add(name, list[j]) end
      else
        hs:remove(name)
      end
    end
    if prog.lambda then wrap(h, hs, prog, c, st) end
    if st.method ~= c.method then hs:replace(":method", st.method) end
    if st.path ~= c.path or st.query ~= c.query then
      hs:replace(":path", st.query == "" and st.path or st.path .. "?" .. st.query)
    end
    if st.body then
      if #st.body > prog.most then refuse(413, "request_too_large") end
      for i = 1, #dropped do hs:remove(dropped[i]) end
      if st.ctype == "" then hs:remove("content-type") else hs:replace("content-type", contenttype(st.ctype)) end
      b:setBytes(st.body)
    end
  end
end
