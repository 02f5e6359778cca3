-- Programs are read once and kept by their text; the entry points answer for everything that goes wrong.
do
  local MAX_KEPT, MAX_KEPT_BYTES = 20000, 16777216
  local kept, count, bytes = {}, 0, 0

  -- scopes are what the expressions of the way out and back see. Slots that the way back reads come first: only these
  -- are stashed.
  local function scopes(prog)
    local slots = {}
    local function slot(e)
      local key = jsontext(e)
      local n = slots[key]
      if not n then
        n = #prog.needs + 1
        prog.needs[n], slots[key] = e, n
        if e[2] == "body" then prog.reads = true end
      end
      return n
    end
    local out = {vars = {}, depth = 1, response = function() error("the way out sees no response", 0) end, request = slot}
    local back = {vars = {}, depth = 1, request = slot}
    function back.response(e)
      local what, name = e[2], e[3]
      if what == "status" then return function(c) return c.status end end
      if what == "headers" then return function(c) return response_header(c, name) end end
      if what ~= "body" then error("response." .. tostring(what), 0) end
      prog.touches[#prog.touches + 1] = e
      return function(c) return response_body(c, e) end
    end
    return out, back
  end

  local function pairsof(list, scope)
    if not list then return nil end
    local out = {}
    for i = 1, list[0] do out[i] = {list[i][1], compile(list[i][2], scope)} end
    return out
  end

  local function optional(e, scope) return e and compile(e, scope) end

  local function backward(s, scope, prog)
    prog.touches = {}
    local t = {c = optional(s.c, scope), h = pairsof(s.h, scope), b = optional(s.b, scope), t = s.t}
    t.ctype = t.t and contenttype(t.t)
    t.reads = prog.touches[1] and prog.touches or nil
    if s.s then
      t.s = {}
      for i = 1, s.s[0] do -- "404" or "4xx"
        t.s[2 * i - 1], t.s[2 * i] = tonumber((gsub(s.s[i], "x", "0"))), tonumber((gsub(s.s[i], "x", "9")))
      end
    end
    if t.b or t.reads then prog.identity = true end
    return t
  end

  local function read(source)
    local w = decode(source, 2000)
    if w.v ~= 1 then error("a program of another version", 0) end
    local prog = {needs = {}, steps = {}, back = {}, path = w.p or {[0] = 0}, regex = w.g, limit = tonumber(w.z), most = 2 * tonumber(w.z) - 1024, lambda = w.l}
    local out, back = scopes(prog)
    for i = 1, (w.r and w.r[0] or 0) do prog.back[i] = backward(w.r[i], back, prog) end
    prog.stash = #prog.needs
    for i = 1, (w.q and w.q[0] or 0) do
      local s = w.q[i]
      prog.steps[i] = {
        m = optional(s.m, out), p = optional(s.p, out), d = s.d, u = pairsof(s.u, out), h = pairsof(s.h, out),
        b = optional(s.b, out), t = s.t, x = s.x,
      }
      if s.m then prog.moves = true end
      if s.b or s.x then prog.body = true end
    end
    if prog.lambda then
      prepare(prog, out)
      prog.identity, prog.moves = true, true
    end
    if prog.reads then prog.body = true end
    prog.passive = #prog.steps == 0 and not prog.lambda and prog.stash == 0
    prog.out = #prog.steps > 0 or prog.lambda or prog.back[1] ~= nil
    return prog
  end

  local function load(h)
    local context = h:filterContext()
    local source = context and context:get("p")
    if not source then return nil end
    local prog = kept[source]
    if not prog then
      if count >= MAX_KEPT or bytes + #source > MAX_KEPT_BYTES then kept, count, bytes = {}, 0, 0 end
      budget = MAX_STEPS
      prog = read(source)
      kept[source], count, bytes = prog, count + 1, bytes + #source
    end
    return prog
  end

  local function outcome(err, status)
    if type(err) == "table" and err.status then return err.status, err.reason end
    if type(err) == "table" then return status, err.what == "too many steps" and "too_much_work" or "template_error" end
    return status == 400 and 500 or status, "script_error"
  end

  local function note(h, reason, err)
    if reason == "script_error" then h:logErr("sluice.script: " .. tostring(err)) end
    h:streamInfo():dynamicMetadata():set("sluice.script", "error", reason)
  end

  local function out(h)
    local prog = load(h)
    if prog and prog.out then onrequest(h, prog) end
  end

  function envoy_on_request(h)
    local ok, err = pcall(out, h)
    if ok then return end
    local status, reason = outcome(err, 400)
    note(h, reason, err)
    h:respond({[":status"] = tostring(status), ["content-type"] = "application/json", ["x-sluice-error"] = reason}, answer(reason, err))
  end

  -- asked reads what the router says of the request, where the way out has not run.
  local function asked(hs, c)
    local method = hs:get("x-sluice-method")
    if not method then return end
    hs:remove("x-sluice-method")
    c.head, c.drop, c.bare = method == "HEAD", false, false
  end

  local function back(h, c)
    local prog = load(h)
    c.prog = prog
    if prog and prog.passive then asked(h:headers(), c) end
    if prog and (prog.back[1] or prog.moves) then onresponse(h, prog, c) end
  end

  -- empty takes the body away from an answer that may have none; a HEAD is told its length.
  local function empty(h, c, code)
    local hs, without = h:headers(), code == 204 or code == 304
    if c.b then
      local n = c.b:length()
      c.b:setBytes("")
      if n > 0 and not without then hs:replace("content-length", tostring(n)) else hs:remove("content-length") end
      return
    end
    if without then hs:remove("content-length") end
    for chunk in h:bodyChunks() do chunk:setBytes("") end
  end

  -- finish makes the answer one of the length that its client expects: what it has too much, or too little, would be
  -- taken from the next answer of the connection.
  local function finish(h, c)
    local code, before = c.status, c.before
    if not before then return end
    if c.drop or (code == 204 or code == 304) and code ~= before then
      empty(h, c, code)
    elseif not c.replaced and (c.bare or (before == 204 or before == 304) and code ~= before) then
      h:headers():remove("content-length")
    end
  end

  -- What the way back cannot do becomes an answer of our own in place of the response, of which nothing stays.
  local function replace(h, c, status, reason, err)
    local hs, names = h:headers(), {}
    if c.prog then framing(h, c) end
    for name in pairs(hs) do names[#names + 1] = name end
    for i = 1, #names do
      if byte(names[i]) ~= 58 then hs:remove(names[i]) end
    end
    hs:replace(":status", tostring(status))
    hs:replace("content-type", "application/json")
    hs:replace("x-sluice-error", reason)
    if c.drop or not c.prog then return empty(h, c, status) end
    if c.head then return end
    local text = answer(reason, err)
    if c.b or reason ~= "response_too_large" and reason ~= "encoded_response" then
      local b = c.b or h:body(true)
      b:setBytes(text)
      return
    end
    for chunk in h:bodyChunks() do -- it may be of any size: it is emptied as it comes
      chunk:setBytes(text)
      text = ""
    end
  end

  function envoy_on_response(h)
    local c = {}
    local ok, err = pcall(back, h, c)
    if ok then return finish(h, c) end
    if not c.prog and not h:headers():get("x-envoy-upstream-service-time") then return end -- what the way out said of it
    local status, reason = outcome(err, 502)
    note(h, reason, err)
    replace(h, c, status, reason, err)
  end
end
