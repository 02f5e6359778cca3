-- Values. A text is a string, a truth value a boolean, a number a number. What is absent is nil; where a table holds it,
-- NULL. A list is a table whose [0] is its length. An object is a table without [0]; its keys are strings, and [1] may
-- hold them sorted. A number as it stood in a JSON text, which has not been touched, is a table whose [0] is false: [1]
-- is its text.
local byte, char, find, format, gsub, sub = string.byte, string.char, string.find, string.format, string.gsub, string.sub
local concat, sort, floor, huge = table.concat, table.sort, math.floor, math.huge
local type, pairs, error, pcall, tonumber, tostring = type, pairs, error, pcall, tonumber, tostring
local buffer = require("string.buffer")
local bit = require("bit")

local NULL = {[0] = true}

-- Bounds. Every loop round and every 32 bytes of text that are made cost one step of the budget.
local MAX_DEPTH, MAX_VALUES, MAX_STEPS = 100, 100000, 500000
local MAX_BUFFER = 16384 -- bytes of a template's buffer that is used again
local budget = 0

-- fail ends an evaluation; try and can take such an end for an answer.
local function fail(what) error({what = what}, 0) end

-- refuse ends the request: with a status, and a reason of the closed list; text, in JSON, says more. Nothing catches it.
local function refuse(status, reason, text) error({status = status, reason = reason, text = text}, 0) end

local function spend(steps)
  budget = budget - steps
  if budget < 0 then error({what = "too many steps"}, 0) end
end

local function kind(v)
  if v == nil then return "null" end
  local t = type(v)
  if t == "boolean" then return "a truth value" elseif t == "number" then return "a number" elseif t == "string" then return "a text" end
  local n = v[0]
  if n == nil then return "an object" elseif n == false then return "a number" elseif n == true then return "null" end
  return "a list"
end

-- digits is the shortest decimal that reads back as x: its digits, and the power of ten of the first.
local function digits(x)
  local from = (x < 2.3e-308) and 0 or 14
  for p = from, 16 do
    local s = format("%." .. p .. "e", x)
    local found = tonumber(s) == x
    if not found and p == 15 then -- just below a power of two the next decimal may be nearer by half
      local a, b, e = s:match("^(%d)%.(%d+)e(.*)$")
      local up = format("%.0f", tonumber(a .. b) + 1)
      if #up == 16 then
        local t = sub(up, 1, 1) .. "." .. sub(up, 2) .. "e" .. e
        if tonumber(t) == x then s, found = t, true end
      end
    end
    if found or p == 16 then
      local m, e = s:match("^([%d.]+)e(.*)$")
      -- Of two decimals that are equally near, the even one: %e takes the larger.
      local long = format("%.30e", x)
      if p > 0 and find(long, "^50*e", p + 3) and byte(long, p + 2) % 2 == 0 then
        local t, te = sub(long, 1, p + 2), long:match("e(.*)$")
        if tonumber(t .. "e" .. te) == x then m, e = t, te end
      end
      m = gsub(gsub(m, "%.", ""), "0+$", "")
      return m, tonumber(e)
    end
  end
end

-- numtext is the text of a number, as JSON has it.
local function numtext(x)
  if x == floor(x) and x > -1e15 and x < 1e15 then return format("%d", x) end
  local sign = ""
  if x < 0 then sign, x = "-", -x end
  local d, e = digits(x)
  if x < 1e-6 or x >= 1e21 then
    if #d > 1 then d = sub(d, 1, 1) .. "." .. sub(d, 2) end
    return sign .. d .. "e" .. (e < 0 and "-" or "+") .. (e < 0 and -e or e)
  end
  if e < 0 then return sign .. "0." .. string.rep("0", -e - 1) .. d end
  if #d <= e + 1 then return sign .. d .. string.rep("0", e + 1 - #d) end
  return sign .. sub(d, 1, e + 1) .. "." .. sub(d, e + 2)
end

-- text is the text of a value that has one.
local function text(v)
  local t = type(v)
  if t == "string" then return v elseif t == "number" then return numtext(v) elseif t == "boolean" then return tostring(v) end
  if t == "table" and v[0] == false then return v[1] end
  fail(kind(v) .. " is no text")
end

-- number reads a number, or a text that is one in decimal; nil where there is none.
local function number(v)
  local t = type(v)
  if t == "number" then return v end
  if t == "table" and v[0] == false then v = v[1] elseif t ~= "string" or v == "" or find(v, "[^0-9+.eE-]") then return nil end
  local n = tonumber(v)
  if n == huge or n == -huge then return nil end
  return n
end

-- exact reads a number as number does, but a whole one that a double may not have keeps all its digits.
local function exact(v)
  local n = number(v)
  if not n then return nil end
  if type(v) == "table" then return v end
  if type(v) ~= "string" then return n end
  local sign, digits = v:match("^([+-]?)0*(%d+)$")
  if digits and #digits > 15 then return {[0] = false, (sign == "-" and sign or "") .. digits} end
  return n
end

local function truth(v)
  if v == true or v == "true" then return true elseif v == false or v == "false" then return false end
  return nil
end

-- sorted are the keys of an object in byte order.
local function sorted(o)
  local keys = o[1]
  if keys then return keys end
  keys = {}
  local n = 0
  for k in pairs(o) do
    n = n + 1
    keys[n] = k
  end
  sort(keys)
  o[1] = keys
  return keys
end

local function equal(a, b)
  if a == b then return true end
  if a == NULL then a = nil end
  if b == NULL then b = nil end
  local t, u = type(a), type(b)
  if (t == "number" or t == "table" and a[0] == false) and (u == "number" or u == "table" and b[0] == false) then
    local x, y = number(a), number(b)
    if x and y then return x == y end
    return text(a) == text(b)
  end
  if t ~= "table" or u ~= "table" or a[0] ~= b[0] then return a == b end
  if a[0] then
    for i = 1, a[0] do
      spend(1)
      if not equal(a[i], b[i]) then return false end
    end
    return true
  end
  local p, q = sorted(a), sorted(b)
  if #p ~= #q then return false end
  for i = 1, #p do
    spend(1)
    local k = p[i]
    if k ~= q[i] or not equal(a[k], b[k]) then return false end
  end
  return true
end

-- utf8 says whether s is a text: no overlong form, no surrogate, nothing beyond the last code point.
local function utf8(s)
  local i = find(s, "[\128-\255]")
  if not i then return true end
  local n = #s
  while i <= n do
    local c = byte(s, i)
    if c < 0x80 then
      i = i + 1
    else
      local d = byte(s, i + 1) or 0
      if c < 0xC2 or c > 0xF4 or d < 0x80 or d > 0xBF then return false end
      if c < 0xE0 then
        i = i + 2
      else
        local e = byte(s, i + 2) or 0
        if e < 0x80 or e > 0xBF then return false end
        if c < 0xF0 then
          if c == 0xE0 and d < 0xA0 or c == 0xED and d > 0x9F then return false end
          i = i + 3
        else
          local f = byte(s, i + 3) or 0
          if f < 0x80 or f > 0xBF or c == 0xF0 and d < 0x90 or c == 0xF4 and d > 0x8F then return false end
          i = i + 4
        end
      end
    end
  end
  return true
end

-- stripped is s without ASCII white space at its ends.
local function stripped(s)
  local from = find(s, "%S")
  return from and s:match("^.*%S", from) or ""
end

-- encode is the UTF-8 of a code point.
local function encode(n)
  if n < 0x80 then return char(n) end
  if n < 0x800 then return char(0xC0 + floor(n / 64), 0x80 + n % 64) end
  if n < 0x10000 then return char(0xE0 + floor(n / 4096), 0x80 + floor(n / 64) % 64, 0x80 + n % 64) end
  return char(0xF0 + floor(n / 262144), 0x80 + floor(n / 4096) % 64, 0x80 + floor(n / 64) % 64, 0x80 + n % 64)
end

-- code is the code point of one character.
local function code(s)
  local a, b, c, d = byte(s, 1, 4)
  if not b then return a end
  if not c then return (a - 0xC0) * 64 + b - 0x80 end
  if not d then return (a - 0xE0) * 4096 + (b - 0x80) * 64 + c - 0x80 end
  return (a - 0xF0) * 262144 + (b - 0x80) * 4096 + (c - 0x80) * 64 + d - 0x80
end

local CHARACTER = "[%z\1-\127\194-\244][\128-\191]*"
