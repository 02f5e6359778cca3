-- The functions of the request time, with gateway.RequestFunctions: what they take is checked when a program is read.
-- FUNCTIONS: name → {nulls allowed, function}; VARIADIC ones get a list and its length.
local FUNCTIONS, VARIADIC = {}, {}
do
  local spaces = {}
  for _, c in ipairs({9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}) do spaces[encode(c)] = true end
  for c = 0x2000, 0x200A do spaces[encode(c)] = true end

  local function need(v)
    local n = number(v)
    if not n then fail(kind(v) .. " is no number") end
    return n
  end

  local function list(v)
    if type(v) ~= "table" or not v[0] or v[0] == true then fail(kind(v) .. " is no list") end
    return v
  end

  local function object(v)
    if type(v) ~= "table" or v[0] ~= nil then fail(kind(v) .. " is no object") end
    return v
  end

  local function texts(f, nulls)
    return {nulls, function(a, b, c) return f(text(a), b ~= nil and text(b) or nil, c ~= nil and text(c) or nil) end}
  end

  local F = FUNCTIONS
  F.abs = {false, function(v) return math.abs(need(v)) end}
  F.ceil = {false, function(v) return math.ceil(need(v)) end}
  F.floor = {false, function(v) return floor(need(v)) end}
  F.upper = texts(function(s) return cased(s, 1) end)
  F.lower = texts(function(s) return cased(s, 2) end)
  F.trimspace = texts(function(s)
    if not find(s, "[\128-\255]") then return stripped(s) end
    return trimset(s, spaces)
  end)
  F.trim = texts(function(s, chars)
    local set = {}
    for c in chars:gmatch(CHARACTER) do set[c] = true end
    return trimset(s, set)
  end)
  F.trimprefix = texts(function(s, p) if sub(s, 1, #p) == p then return sub(s, #p + 1) end return s end)
  F.trimsuffix = texts(function(s, p) if p ~= "" and sub(s, -#p) == p then return sub(s, 1, -#p - 1) end return s end)
  F.startswith = texts(function(s, p) return sub(s, 1, #p) == p end)
  F.endswith = texts(function(s, p) return p == "" or sub(s, -#p) == p end)
  F.strcontains = texts(function(s, p) return find(s, p, 1, true) ~= nil end)

  -- pieces parts s at every separator; at every character where that is empty.
  local function pieces(s, sep)
    if sep == "" then return runes(s) end
    local out, n, i = {}, 0, 1
    while true do
      local a, b = find(s, sep, i, true)
      n = n + 1
      out[n] = sub(s, i, (a or 0) - 1)
      spend(1)
      if not a then return out, n end
      i = b + 1
    end
  end

  F.replace = texts(function(s, old, new)
    if #old > 1 and byte(old) == 47 and byte(old, -1) == 47 then fail("replace has no regular expressions") end
    local parts, n = pieces(s, old)
    spend((n + 1) * (#new + 32) / 32)
    if old ~= "" then return concat(parts, new) end
    return n == 0 and new or new .. concat(parts, new) .. new
  end)
  F.split = texts(function(sep, s)
    local parts, n = pieces(s, sep)
    parts[0] = n
    return parts
  end)
  F.substr = {false, function(v, from, count)
    local s = text(v)
    from, count = number(from), number(count)
    if not from or not count or from ~= floor(from) or count ~= floor(count) then fail("offset and length are whole numbers") end
    local out, n = runes(s)
    if from < 0 then from = math.max(0, from + n) end
    from = math.min(from, n)
    if count < 0 or from + count > n then count = n - from end
    return concat(out, "", from + 1, from + count)
  end}
  F.urlencode = texts(function(s) return (gsub(percent(s, "[^A-Za-z0-9_.~ -]"), " ", "+")) end)
  F.htmlencode = texts(escapehtml)
  F.raw = {true, function(v) if v ~= nil then return text(v) end end}
  F.base64encode = texts(base64)
  F.base64decode = texts(function(s)
    local out = unbase64(s)
    if not out or not utf8(out) then fail("base64decode: no base64 of a text") end
    return out
  end)
  F.jsonencode = {true, jsontext}
  F.jsondecode = texts(function(s)
    spend(#s / 32)
    local ok, v = pcall(decode, s)
    if not ok then fail("jsondecode: no JSON") end
    if v == NULL then v = nil end
    return v
  end)
  F.tostring = {true, function(v) if v ~= nil then return text(v) end end}
  F.tonumber = {true, function(v)
    if v == nil or type(v) == "table" and v[0] == false then return v end
    local n = exact(v)
    if not n then fail(kind(v) .. " is no number") end
    return n
  end}
  F.tobool = {true, function(v)
    if v == nil then return nil end
    local b = truth(v)
    if b == nil then fail(kind(v) .. " is no truth value") end
    return b
  end}
  F.contains = {false, function(l, v)
    l = list(l)
    for i = 1, l[0] do
      spend(1)
      if equal(l[i], v) then return true end
    end
    return false
  end}
  F.keys = {false, function(o)
    local keys = sorted(object(o))
    local out = {[0] = #keys}
    spend(#keys)
    for i = 1, #keys do out[i] = keys[i] end
    return out
  end}
  F.values = {false, function(o)
    local keys = sorted(object(o))
    local out = {[0] = #keys}
    spend(#keys)
    for i = 1, #keys do out[i] = o[keys[i]] end
    return out
  end}
  F.length = {false, function(v)
    if type(v) == "string" then
      if not find(v, "[\128-\255]") then return #v end
      spend(#v / 32)
      local _, tails = gsub(v, "[\128-\191]", "")
      return #v - tails
    end
    if type(v) == "table" and v[0] == nil then return #sorted(v) end
    if type(v) == "table" and v[0] then return v[0] end
    fail(kind(v) .. " has no length")
  end}
  F.lookup = {true, function(o, key, default, given)
    if o ~= nil then object(o) end
    if key == nil then fail("null is no text") end
    local v = o and o[text(key)]
    if v == NULL then return nil end
    if v ~= nil then return v end
    if given then return default end
    fail("there is no such key")
  end}

  local V = VARIADIC
  local function extreme(sign)
    return {false, function(a, n)
      local best = -huge
      for i = 1, n do
        local x = need(a[i]) * sign
        if x > best or x == 0 and best == 0 and 1 / x > 0 then best = x end -- of two zeros, the one that is not negative
      end
      return best * sign
    end}
  end
  V.max, V.min = extreme(1), extreme(-1)
  V.coalesce = {true, function(a, n)
    for i = 1, n do
      if a[i] ~= nil and a[i] ~= "" then return a[i] end
    end
    fail("no argument has a value")
  end}
  V.concat = {false, function(a, n)
    local out, k = {}, 0
    for i = 1, n do list(a[i]) end
    for i = 1, n do
      spend(a[i][0])
      for j = 1, a[i][0] do
        k = k + 1
        out[k] = a[i][j]
      end
    end
    out[0] = k
    return out
  end}
  V.join = {false, function(a, n)
    local sep, parts, k = text(a[1]), {}, 0
    for i = 2, n do list(a[i]) end
    for i = 2, n do
      for j = 1, a[i][0] do
        local v = a[i][j]
        spend(1)
        if v ~= NULL then
          k = k + 1
          parts[k] = text(v)
          spend((#parts[k] + #sep) / 32)
        end
      end
    end
    return concat(parts, sep)
  end}
  V.merge = {true, function(a, n)
    local out = {}
    for i = 1, n do
      if a[i] ~= nil then
        local keys = sorted(object(a[i]))
        spend(#keys)
        for j = 1, #keys do out[keys[j]] = a[i][keys[j]] end
      end
    end
    return out
  end}
end
