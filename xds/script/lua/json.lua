-- JSON: a strict reader, and a writer that writes what Go writes.
local decode, write, jsontext
do
  local values, simple = 0, false -- simple: the text has neither a backslash nor a control character
  local escapes = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/"}

  local function bad() error({json = true}, 0) end

  -- point reads \uXXXX, or a pair of surrogates; half a pair is U+FFFD.
  local function point(s, i)
    local h = s:match("^%x%x%x%x", i)
    if not h then bad() end
    local n, at = tonumber(h, 16), i + 4
    if n >= 0xD800 and n < 0xDC00 then
      local l = s:match("^\\u([dD][c-fC-F]%x%x)", at)
      if l then return encode(0x10000 + (n - 0xD800) * 0x400 + tonumber(l, 16) - 0xDC00), at + 6 end
    end
    if n >= 0xD800 and n < 0xE000 then n = 0xFFFD end
    return encode(n), at
  end

  -- escaped reads the rest of a string from its first backslash, at k.
  local function escaped(s, from, k)
    local out, n = {sub(s, from, k - 1)}, 1
    while true do
      local c = sub(s, k + 1, k + 1)
      local piece, at
      if c == "u" then piece, at = point(s, k + 2) else piece, at = escapes[c], k + 2 end
      if not piece then bad() end
      n = n + 1
      out[n] = piece
      k = find(s, '[%z\1-\31"\\]', at)
      if not k then bad() end
      if k > at then
        n = n + 1
        out[n] = sub(s, at, k - 1)
      end
      local b = byte(s, k)
      if b == 34 then return concat(out), k + 1 elseif b ~= 92 then bad() end
    end
  end

  -- quoted reads a string whose text begins at i.
  local function quoted(s, i)
    if simple then -- nothing but what is compiled: most texts are so
      local k = find(s, '"', i, true)
      if not k then bad() end
      return sub(s, i, k - 1), k + 1
    end
    local k = find(s, '[%z\1-\31"\\]', i)
    if not k then bad() end
    local b = byte(s, k)
    if b == 34 then return sub(s, i, k - 1), k + 1 elseif b == 92 then return escaped(s, i, k) end
    bad()
  end

  local function numeral(s, i)
    local n, at = 0, i
    local d = byte(s, at)
    if d and d >= 49 and d <= 57 then -- a short integer
      repeat
        n = n * 10 + d - 48
        at = at + 1
        d = byte(s, at)
      until not d or d < 48 or d > 57 or at - i > 15
      if at - i <= 15 and (not d or d ~= 46 and d ~= 101 and d ~= 69) then return n, at end
    end
    local _, e = find(s, "^-?%d+", i)
    if not e then bad() end
    local first = byte(s, i)
    local whole = first == 45 and i + 1 or i
    if byte(s, whole) == 48 and e > whole then bad() end
    local c = byte(s, e + 1)
    if c ~= 46 and c ~= 101 and c ~= 69 then
      local lit = sub(s, i, e)
      if e - i < 15 and not (first == 45 and byte(s, whole) == 48) then return tonumber(lit), e + 1 end
      return {[0] = false, lit}, e + 1
    end
    if c == 46 then
      _, e = find(s, "^%d+", e + 2)
      if not e then bad() end
      c = byte(s, e + 1)
    end
    if c == 101 or c == 69 then
      _, e = find(s, "^[+-]?%d+", e + 2)
      if not e then bad() end
    end
    return {[0] = false, sub(s, i, e)}, e + 1
  end

  -- skip is the place and the byte of the next character that is no white space.
  local function skip(s, i)
    local c = byte(s, i)
    if c == 32 then
      i = i + 1
      c = byte(s, i)
    end
    if c and c <= 32 then
      i = find(s, "[^ \t\r\n]", i) or #s + 1
      c = byte(s, i)
    end
    return i, c
  end

  local value

  local function object(s, i, depth)
    local o, c, k, v = {}, nil, nil, nil
    i, c = skip(s, i)
    if c == 125 then return o, i + 1 end
    while true do
      if c ~= 34 then bad() end
      k, i = quoted(s, i + 1)
      i, c = skip(s, i)
      if c ~= 58 then bad() end
      v, i = value(s, i + 1, depth)
      o[k] = v
      i, c = skip(s, i)
      if c == 125 then return o, i + 1 elseif c ~= 44 then bad() end
      i, c = skip(s, i + 1)
    end
  end

  local function array(s, i, depth)
    local o, n, c, v = {[0] = 0}, 0, nil, nil
    i, c = skip(s, i)
    if c == 93 then return o, i + 1 end
    while true do
      v, i = value(s, i, depth)
      n = n + 1
      o[n] = v
      i, c = skip(s, i)
      if c == 93 then
        o[0] = n
        return o, i + 1
      elseif c ~= 44 then bad() end
      i = i + 1
    end
  end

  function value(s, i, depth)
    local c
    i, c = skip(s, i)
    values = values - 1
    if values < 0 then bad() end
    if c == 34 then return quoted(s, i + 1) end
    if c == 123 or c == 91 then
      if depth == 0 then bad() end
      if c == 123 then return object(s, i + 1, depth - 1) end
      return array(s, i + 1, depth - 1)
    end
    if c == 116 and sub(s, i, i + 3) == "true" then return true, i + 4 end
    if c == 102 and sub(s, i, i + 4) == "false" then return false, i + 5 end
    if c == 110 and sub(s, i, i + 3) == "null" then return NULL, i + 4 end
    return numeral(s, i)
  end

  -- decode reads one JSON text. Its result is never nil: null is NULL. What is wrong ends in an error of {json = true}.
  function decode(s, depth)
    values = MAX_VALUES
    simple = not find(s, "[%z\1-\31\\\128-\255]")
    if not simple then
      if not utf8(s) then bad() end
      simple = not find(s, "[%z\1-\31\\]")
    end
    local v, i = value(s, 1, depth or MAX_DEPTH)
    if skip(s, i) <= #s then bad() end
    return v
  end

  local short = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\b"] = "\\b", ["\f"] = "\\f"}
  local function quote(c) return short[c] or format("\\u%04x", byte(c)) end

  local function writetext(b, s)
    spend(#s / 32)
    if find(s, '[%z\1-\31"\\<>&]') then s = gsub(s, '[%z\1-\31"\\<>&]', quote) end
    if find(s, "\226\128", 1, true) then s = gsub(s, "\226\128([\168\169])", {["\168"] = "\\u2028", ["\169"] = "\\u2029"}) end
    b:put('"', s, '"')
  end

  -- write appends the JSON of a value to a buffer.
  function write(b, v)
    local t = type(v)
    if t == "string" then writetext(b, v)
    elseif t == "number" then
      if v == 0 and 1 / v < 0 then b:put("-0") else b:put(numtext(v)) end
    elseif t == "boolean" then b:put(v and "true" or "false")
    elseif t == "nil" or v[0] == true then b:put("null")
    elseif v[0] == false then b:put(v[1])
    elseif v[0] then
      b:put("[")
      for i = 1, v[0] do
        spend(1)
        if i > 1 then b:put(",") end
        write(b, v[i])
      end
      b:put("]")
    else
      b:put("{")
      local keys = sorted(v)
      for i = 1, #keys do
        spend(1)
        if i > 1 then b:put(",") end
        writetext(b, keys[i])
        b:put(":")
        write(b, v[keys[i]])
      end
      b:put("}")
    end
  end

  function jsontext(v)
    local b = buffer.new()
    write(b, v)
    return b:tostring()
  end
end
