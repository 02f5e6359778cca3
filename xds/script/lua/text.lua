-- Text: what the functions of texts need, by code points, as Go has it.
local escapehtml, percent, unpercent, base64, unbase64, cased, trimset, runes
do
  local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&#34;", ["'"] = "&#39;"}

  function escapehtml(s)
    local n = #s
    if n <= 24 then -- a loop that is compiled, rather than a pattern
      for i = 1, n do
        local c = byte(s, i)
        if c <= 62 and (c == 60 or c == 62 or c == 38 or c == 34 or c == 39) then return (gsub(s, "[&<>\"']", entities)) end
      end
      return s
    end
    if find(s, "[&<>\"']") then
      s = gsub(s, "[&<>\"']", entities)
      spend(#s / 32)
    end
    return s
  end

  local hex = {}
  for i = 0, 255 do hex[char(i)] = format("%%%02X", i) end

  -- percent encodes what the pattern, a class of characters, names.
  function percent(s, class)
    if find(s, class) then
      s = gsub(s, class, hex)
      spend(#s / 32)
    end
    return s
  end

  local plain = {}
  for i = 0, 255 do plain[format("%02x", i)] = char(i) end
  local function pair(h) return plain[h:lower()] end

  -- unpercent decodes %XX; what is malformed stays. The result is nil where it is no text.
  function unpercent(s)
    if not find(s, "%", 1, true) and not find(s, "[\128-\255]") then return s end
    s = gsub(s, "%%(%x%x)", pair)
    if utf8(s) then return s end
    return nil
  end

  local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  local letter, value = {}, {}
  for i = 0, 63 do
    letter[i] = byte(letters, i + 1)
    value[byte(letters, i + 1)] = i
  end

  function base64(s)
    spend(#s / 4)
    local b = buffer.new(#s * 2)
    for i = 1, #s - 2, 3 do
      local x, y, z = byte(s, i, i + 2)
      local n = x * 65536 + y * 256 + z
      b:put(char(letter[floor(n / 262144)], letter[floor(n / 4096) % 64], letter[floor(n / 64) % 64], letter[n % 64]))
    end
    local left = #s % 3
    if left == 1 then
      local x = byte(s, -1)
      b:put(char(letter[floor(x / 4)], letter[x % 4 * 16]), "==")
    elseif left == 2 then
      local x, y = byte(s, -2, -1)
      local n = x * 256 + y
      b:put(char(letter[floor(n / 1024)], letter[floor(n / 16) % 64], letter[n % 16 * 4]), "=")
    end
    return b:tostring()
  end

  -- unbase64 decodes; nil where s is none. Line breaks are passed over.
  function unbase64(s)
    if find(s, "[\r\n]") then s = gsub(s, "[\r\n]", "") end
    local n = #s
    if n % 4 ~= 0 then return nil end
    if n == 0 then return "" end
    spend(n / 4)
    local pad = sub(s, -2) == "==" and 2 or sub(s, -1) == "=" and 1 or 0
    if find(sub(s, 1, n - pad), "[^A-Za-z0-9+/]") then return nil end
    local b = buffer.new(n)
    for i = 1, n - (pad > 0 and 4 or 0), 4 do
      local p, q, r, t = byte(s, i, i + 3)
      local v = value[p] * 262144 + value[q] * 4096 + value[r] * 64 + value[t]
      b:put(char(floor(v / 65536), floor(v / 256) % 256, v % 256))
    end
    if pad == 2 then
      local p, q = byte(s, n - 3, n - 2)
      b:put(char(value[p] * 4 + floor(value[q] / 16)))
    elseif pad == 1 then
      local p, q, r = byte(s, n - 3, n - 1)
      local v = value[p] * 1024 + value[q] * 16 + floor(value[r] / 4)
      b:put(char(floor(v / 256), v % 256))
    end
    return b:tostring()
  end

  -- Cases beyond ASCII: runs of first, last, step and distance, in the order upper, lower; unfolded when first needed.
  local runs, maps = {CASES}, {}
  local function map(which)
    local m = {}
    local r = runs[which]
    for i = 1, #r, 4 do
      for c = r[i], r[i + 1], r[i + 2] do m[encode(c)] = encode(c + r[i + 3]) end
    end
    maps[which] = m
    return m
  end

  -- cased is s in upper case (1) or lower case (2).
  function cased(s, which)
    spend(#s / 32)
    local out = which == 1 and s:upper() or s:lower()
    if find(out, "[\128-\255]") then out = gsub(out, "[\194-\244][\128-\191]+", maps[which] or map(which)) end
    return out
  end

  -- runes are the characters of s.
  function runes(s)
    local out, n = {}, 0
    for c in s:gmatch(CHARACTER) do
      n = n + 1
      out[n] = c
    end
    spend(n)
    return out, n
  end

  -- trimset takes the characters of a set off both ends.
  function trimset(s, set)
    local list, n = runes(s)
    local from, to = 1, n
    while from <= to and set[list[from]] do from = from + 1 end
    while to >= from and set[list[to]] do to = to - 1 end
    return concat(list, "", from, to)
  end
end
