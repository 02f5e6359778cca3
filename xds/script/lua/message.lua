-- Messages: what requests and responses have in common.
local address, metavalue
local getpath, getquery, getform, setquery, readbody, walk, bodytext, headertext, contenttype, answer
do
  -- getpath reads the variables of a path template: segments of alternating literals and names, or {"**", name} last.
  -- Of several variables in a segment, each takes as much as it can, the first one first; found from the end, in one pass.
  local function part(seg, s, vars)
    local n = seg[0]
    if n == 1 then return s == seg[1] end
    local head, tail = seg[1], seg[n]
    if sub(s, 1, #head) ~= head or tail ~= "" and sub(s, -#tail) ~= tail or #s < #head + #tail + 1 then return false end
    s = sub(s, #head + 1, #s - #tail)
    if n == 3 then
      vars[seg[2]] = s
      return true
    end
    local back, stop = s:reverse(), 1
    for i = n - 1, 4, -2 do
      local a, b = find(back, seg[i - 1]:reverse(), stop + 1, true)
      if not a then return false end
      vars[seg[i]] = sub(back, stop, a - 1):reverse()
      stop = b + 1
    end
    vars[seg[2]] = sub(back, stop):reverse()
    return stop <= #back
  end

  function getpath(prog, path)
    if prog.regex then return groups(prog.regex, path) end
    local segs = prog.path
    local vars, at, n = {}, 2, segs[0]
    for k = 1, n do
      local seg = segs[k]
      if seg[1] == "**" and seg[0] == 2 then
        vars[seg[2]] = sub(path, at)
        return vars
      end
      local stop = find(path, "/", at, true) or #path + 1
      if (k == n) ~= (stop > #path) or not part(seg, sub(path, at, stop - 1), vars) then return {} end
      at = stop + 1
    end
    return vars
  end

  local function field(s)
    if find(s, "+", 1, true) then s = gsub(s, "+", " ") end
    return unpercent(s)
  end

  -- getquery is the first value of each parameter.
  function getquery(query)
    local out = {}
    for p in query:gmatch("[^&]+") do
      local k, v = p:match("^([^=]*)=?(.*)$")
      k = field(k)
      if k and out[k] == nil then out[k] = field(v) or NULL end
    end
    for k, v in pairs(out) do if v == NULL then out[k] = nil end end
    return out
  end

  local UNSAFE = "[^A-Za-z0-9_.~-]"

  -- values are the texts that a value stands for where there may be several: of a list, its elements.
  local function values(v)
    if type(v) ~= "table" or not v[0] then return {text(v)} end
    local out = {}
    for i = 1, v[0] do
      if v[i] ~= NULL then out[#out + 1] = text(v[i]) end
    end
    return out
  end

  -- setquery removes parameters from a query and sets those that have a value: a list of {name, value}.
  function setquery(query, sets)
    local gone, out = {}, {}
    for i = 1, #sets do gone[sets[i][1]] = true end
    for p in query:gmatch("[^&]+") do
      local k = field(p:match("^[^=]*"))
      if not k or not gone[k] then out[#out + 1] = p end
    end
    for i = 1, #sets do
      if sets[i][2] ~= nil then
        for _, v in ipairs(values(sets[i][2])) do out[#out + 1] = percent(sets[i][1], UNSAFE) .. "=" .. percent(v, UNSAFE) end
      end
    end
    return concat(out, "&")
  end

  -- headertext is the text of a header's value, without control characters; for a list, the texts.
  function headertext(v)
    local out = values(v)
    for i = 1, #out do out[i] = gsub(out[i], "[%z\1-\8\10-\31\127]", "") end
    return out
  end

  function contenttype(t)
    if sub(t, 1, 5) == "text/" and not find(t, "charset", 1, true) then return t .. "; charset=utf-8" end
    return t
  end

  local function media(t) return ((t or ""):match("^%s*([^;%s]*)") or ""):lower() end

  -- readbody is the value of a body: {v = value, text = it is a text and no JSON, bad = it cannot be read}.
  function readbody(raw, ctype)
    if raw == "" then return {} end
    local m = ctype == "application/json" and ctype or media(ctype)
    if m == "application/x-www-form-urlencoded" then
      if not utf8(raw) then return {bad = true} end
      return {v = getquery(raw)}
    end
    local strict = m == "" or m == "application/json" or sub(m, -5) == "+json"
    if strict or find(raw, "^[ \t\r\n]*[{%[]") then
      local ok, v = pcall(decode, raw)
      if ok then return {v = v} elseif strict then return {bad = true} end
    end
    if not utf8(raw) then return {bad = true} end
    return {v = raw, text = true}
  end

  -- walk is the value below a body; path[from…] are the names on the way.
  function walk(body, path, from, status, reason)
    local n = path[0]
    if body.bad or body.text and n >= from then refuse(status, reason) end
    local v = body.v
    for i = from, n do
      if type(v) ~= "table" or v[0] ~= nil then return nil end
      v = v[path[i]]
    end
    if v == NULL then return nil end
    return v
  end

  -- bodytext is the text of a new body and its content type, which is the given one if there is one.
  function bodytext(v, given)
    if v == nil then return "", given end
    local t = type(v)
    if t ~= "table" or v[0] == false then return text(v), (given ~= "" or v == "") and given or "text/plain" end
    if media(given) == "application/x-www-form-urlencoded" then
      if v[0] then fail("a form is an object") end
      local sets = {}
      for _, k in ipairs(sorted(v)) do
        if v[k] ~= NULL then sets[#sets + 1] = {k, v[k]} end
      end
      return setquery("", sets), given
    end
    return jsontext(v), given ~= "" and given or "application/json"
  end

  function address(s) return s and (s:match("^%[(.-)%]") or s:match("^([^:]*):%d+$") or s) end

  -- metavalue makes a value of what dynamic metadata holds.
  function metavalue(v)
    if type(v) ~= "table" then return v end
    local n = #v
    if n > 0 then
      local out = {[0] = n}
      for i = 1, n do out[i] = metavalue(v[i]) end
      return out
    end
    local out = {}
    for k, x in pairs(v) do if type(k) == "string" then out[k] = metavalue(x) end end
    return out
  end

  local reasons = {REASONS}

  -- answer is the body of an answer of our own. An error that says more than its reason has a text, which is JSON.
  function answer(reason, err)
    local text = type(err) == "table" and err.text or '"' .. (reasons[reason] or reasons.template_error) .. '"'
    return '{"error":' .. text .. ',"reason":"' .. reason .. '"}'
  end
end
