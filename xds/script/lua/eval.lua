-- The evaluator: an expression, as JSON has it, becomes a function of the context c that returns its value, and one
-- that appends its text to a buffer. c.q holds what the program reads of the request, c.s of the response, by slot; the
-- numbers in c itself are bound variables.
local compile, emitter
local make, emit, all, condition -- what compiles an operation, by its code; the rest of them is in loops.lua
do
  local function get(coll, key)
    if coll == nil then return nil end
    if type(coll) == "table" then
      local n = coll[0]
      if n == nil then
        if key == nil then fail("null is no text") end
        local v = coll[text(key)]
        if v == NULL then v = nil end
        return v
      elseif n ~= false then
        local i = number(key)
        if not i then fail("a list is indexed by a number") end
        if i ~= floor(i) or i < 0 or i >= n then return nil end
        local v = coll[i + 1]
        if v == NULL then v = nil end
        return v
      end
    end
    fail(kind(coll) .. " has no elements")
  end

  function condition(v)
    local b = truth(v)
    if b == nil then fail(kind(v) .. " is not true or false") end
    return b
  end

  local function numbers(f)
    return function(a, b)
      local x, y = number(a), number(b)
      if not x or not y then fail("numbers are needed") end
      return f(x, y)
    end
  end
  local function finite(n)
    if n ~= n or n == huge or n == -huge then fail("the result is no number") end
    return n
  end
  local binary = {
    ["=="] = equal, ["!="] = function(a, b) return not equal(a, b) end,
    ["<"] = numbers(function(x, y) return x < y end), ["<="] = numbers(function(x, y) return x <= y end),
    [">"] = numbers(function(x, y) return x > y end), [">="] = numbers(function(x, y) return x >= y end),
    ["+"] = numbers(function(x, y) return finite(x + y) end), ["-"] = numbers(function(x, y) return finite(x - y) end),
    ["*"] = numbers(function(x, y) return finite(x * y) end),
    ["/"] = numbers(function(x, y) if y == 0 then fail("division by zero") end return finite(x / y) end),
    ["%"] = numbers(function(x, y) if y == 0 then fail("division by zero") end return finite(math.fmod(x, y)) end),
  }

  make, emit = {}, {}

  -- scope: {slots = request and response slots, depth = next variable, vars = name → variable}
  function compile(e, scope)
    local f = make[e[1]]
    if not f then error("operation " .. tostring(e[1]), 0) end
    return f(e, scope)
  end

  function all(e, from, scope)
    local out, n = {}, 0
    for i = from, e[0] do
      n = n + 1
      out[n] = compile(e[i], scope)
    end
    return out, n
  end

  -- put appends the text of a value; null has none.
  local function put(b, v)
    if v == nil then return end
    if type(v) ~= "string" then v = text(v) end
    budget = budget - #v * 0.03125
    b:put(v)
  end

  function emitter(e, scope)
    local f = emit[e[1]]
    f = f and f(e, scope)
    if f then return f end
    local v = compile(e, scope)
    return function(c, b) put(b, v(c)) end
  end

  make.c = function(e)
    local v = e[2]
    if v == NULL then v = nil end
    return function() return v end
  end
  emit.c = function(e)
    local v = e[2]
    if v == nil or v == NULL then return function() end end
    if type(v) ~= "string" and type(v) ~= "number" then return nil end
    v = text(v)
    local cost = #v * 0.03125
    return function(_, b)
      budget = budget - cost
      b:put(v)
    end
  end

  make.q = function(e, scope)
    local slot = scope.request(e)
    return function(c) return c.q[slot] end
  end
  make.s = function(e, scope) return scope.response(e) end
  make.v = function(e, scope)
    local slot = scope.vars[e[2]]
    if not slot then return function() return nil end end
    return function(c) return c[slot] end
  end

  make.t = function(e, scope)
    local f, kept = emitter(e, scope), nil
    return function(c)
      local b = kept or buffer.new()
      kept = nil -- f may come here again, or end in an error
      f(c, b)
      local s = b:tostring()
      if #s <= MAX_BUFFER then
        b:reset()
        kept = b
      end
      return s
    end
  end
  emit.t = function(e, scope)
    local parts, n = {}, 0
    for i = 2, e[0] do
      n = n + 1
      parts[n] = emitter(e[i], scope)
    end
    return function(c, b)
      for i = 1, n do parts[i](c, b) end
    end
  end

  make.html = function(e, scope)
    local f = compile(e[2], scope)
    return function(c)
      local v = f(c)
      if v ~= nil then return escapehtml(text(v)) end
    end
  end
  -- convert is an argument as its type has it; what it is not ends the request.
  local function convert(v, want)
    if want == "boolean" then return truth(v) end
    local n = exact(v)
    if want == "integer" and type(n) == "number" and (n ~= floor(n) or math.abs(n) >= 2 ^ 53) then return nil end
    return n
  end
  make.as = function(e, scope)
    local want, said, f = e[2], jsontext(e[3]), compile(e[4], scope)
    return function(c)
      local v = f(c)
      if v == nil then return nil end
      v = convert(v, want)
      if v == nil then refuse(400, "invalid_argument", said) end
      return v
    end
  end

  -- segment is a text escaped for a path, or nothing but the end of the request.
  local function segment(v)
    if v == nil then refuse(400, "missing_path_value") end
    return text(v)
  end
  make.segment = function(e, scope)
    local f = compile(e[2], scope)
    return function(c)
      local v = segment(f(c))
      if v == "" then return "\1" end
      return percent(v, "[^A-Za-z0-9_.~!$&'()*+,;=:@-]")
    end
  end
  make.segments = function(e, scope)
    local f = compile(e[2], scope)
    return function(c) return percent(segment(f(c)), "[^A-Za-z0-9_.~!$&'()*+,;=:@/-]") end
  end

  make["?"] = function(e, scope)
    local c1, a, b = compile(e[2], scope), compile(e[3], scope), compile(e[4], scope)
    return function(c)
      if condition(c1(c)) then return a(c) end
      return b(c)
    end
  end
  emit["?"] = function(e, scope)
    local c1, x, y = compile(e[2], scope), emitter(e[3], scope), emitter(e[4], scope)
    return function(c, b)
      if condition(c1(c)) then return x(c, b) end
      return y(c, b)
    end
  end
  make["&&"] = function(e, scope)
    local a, b = compile(e[2], scope), compile(e[3], scope)
    return function(c) return condition(a(c)) and condition(b(c)) end
  end
  make["||"] = function(e, scope)
    local a, b = compile(e[2], scope), compile(e[3], scope)
    return function(c) return condition(a(c)) or condition(b(c)) end
  end
  for name, f in pairs(binary) do
    make[name] = function(e, scope)
      local a, b = compile(e[2], scope), compile(e[3], scope)
      return function(c)
        local x = a(c)
        return f(x, b(c))
      end
    end
  end
  make.neg = function(e, scope)
    local a = compile(e[2], scope)
    return function(c)
      local n = number(a(c))
      if not n then fail("no number") end
      return -n
    end
  end
  make["!"] = function(e, scope)
    local a = compile(e[2], scope)
    return function(c)
      local b = truth(a(c))
      if b == nil then fail("no truth value") end
      return not b
    end
  end

  make.i = function(e, scope)
    local a, k = compile(e[2], scope), compile(e[3], scope)
    return function(c)
      local coll = a(c)
      return get(coll, k(c))
    end
  end
  make.a = function(e, scope)
    local name, a = e[2], compile(e[3], scope)
    return function(c)
      local coll = a(c)
      if type(coll) == "table" and coll[0] == nil then
        local v = coll[name]
        if v == NULL then v = nil end
        return v
      end
      return get(coll, name)
    end
  end
  make.l = function(e, scope)
    local parts, n = all(e, 2, scope)
    return function(c)
      local out = {[0] = n}
      for i = 1, n do
        local v = parts[i](c)
        if v == nil then v = NULL end
        out[i] = v
      end
      return out
    end
  end
  make.o = function(e, scope)
    local parts, n = all(e, 2, scope)
    return function(c)
      local keys, values = {}, {}
      for i = 1, n, 2 do keys[i], values[i] = parts[i](c), parts[i + 1](c) end
      local out = {}
      for i = 1, n, 2 do
        if keys[i] == nil then fail("null is no text") end
        out[text(keys[i])] = values[i]
      end
      return out
    end
  end
end
