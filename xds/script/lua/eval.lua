-- The evaluator: an expression, as JSON has it, becomes a function of the context c that returns its value, and one
-- that appends its text to a buffer. c.q holds what the program reads of the request, c.s of the response, by slot; the
-- numbers in c itself are bound variables.
local compile, emitter
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

  local function condition(v)
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

  local make, emit = {}, {}

  -- scope: {slots = request and response slots, depth = next variable, vars = name → variable}
  function compile(e, scope)
    local f = make[e[1]]
    if not f then error("operation " .. tostring(e[1]), 0) end
    return f(e, scope)
  end

  local function all(e, from, scope)
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
    local f = emitter(e, scope)
    return function(c)
      local b = buffer.new()
      f(c, b)
      return b:tostring()
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
  make.segment = function(e, scope)
    local f = compile(e[2], scope)
    return function(c)
      local v = f(c)
      if v == nil then refuse(400, "missing_path_value") end
      v = text(v)
      if v == "" then return "\1" end
      return percent(v, "[^A-Za-z0-9_.~!$&'()*+,;=:@-]")
    end
  end
  make.segments = function(e, scope)
    local f = compile(e[2], scope)
    return function(c)
      local v = f(c)
      if v == nil then refuse(400, "missing_path_value") end
      return percent(text(v), "[^A-Za-z0-9_.~!$&'()*+,;=:@/-]")
    end
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

  -- bind gives a name a variable for the time in which f compiles what sees it.
  local function bind(scope, names, f)
    local saved = {}
    for i = 1, #names do
      saved[i] = scope.vars[names[i]] or false
      scope.vars[names[i]] = scope.depth
      scope.depth = scope.depth + 1
    end
    local a, b, c = f()
    for i = #names, 1, -1 do
      scope.vars[names[i]] = saved[i] or nil
      scope.depth = scope.depth - 1
    end
    return a, b, c
  end

  local function size(e)
    if type(e) ~= "table" or type(e[0]) ~= "number" then return 0 end
    local n = 1
    for i = 2, e[0] do n = n + size(e[i]) end
    return n
  end

  make["@"] = function(e, scope)
    local coll, slot, cost = compile(e[2], scope), scope.depth, size(e)
    local each = bind(scope, {"splat"}, function() return compile(e[3], scope) end)
    return function(c)
      local v = coll(c)
      if v == nil then return {[0] = 0} end
      if type(v) ~= "table" or not v[0] then v = {[0] = 1, v} end
      local out = {[0] = v[0]}
      for i = 1, v[0] do
        spend(cost)
        local x = v[i]
        if x == NULL then x = nil end
        c[slot] = x
        x = each(c)
        if x == nil then x = NULL end
        out[i] = x
      end
      return out
    end
  end

  -- rounds is what all loops share: it calls round(c, state) for each element that the condition keeps.
  local function rounds(e, scope, body)
    local coll, cost = compile(e[5], scope), size(e)
    local first = scope.depth
    local names = e[2] == "" and {e[3]} or {e[3], e[2]}
    local inner, cond = bind(scope, names, function()
      local keep = e[8] ~= 0 and compile(e[8], scope) or nil
      return body(), keep
    end)
    local key = e[2] ~= "" and first + 1 or nil
    return function(c, state)
      local v = coll(c)
      if v == nil then return end
      local n = type(v) == "table" and v[0]
      local names
      if type(v) == "table" and n == nil then
        names = sorted(v)
        n = #names
      elseif not n then fail(kind(v) .. " has no elements") end
      for i = 1, n do
        budget = budget - cost
        if budget < 0 then spend(0) end
        local x
        if names then x = v[names[i]] else x = v[i] end
        if x == NULL then x = nil end
        c[first] = x
        if key then c[key] = names and names[i] or i - 1 end
        if not cond or condition(cond(c)) then inner(c, state) end
      end
    end
  end

  make["for"] = function(e, scope)
    if e[6] == 0 then
      local loop = rounds(e, scope, function()
        local value = compile(e[7], scope)
        return function(c, out)
          local v = value(c)
          if v == nil then v = NULL end
          local n = out[0] + 1
          out[0], out[n] = n, v
        end
      end)
      return function(c)
        local out = {[0] = 0}
        loop(c, out)
        return out
      end
    end
    local group = e[4]
    local loop = rounds(e, scope, function()
      local key, value = compile(e[6], scope), compile(e[7], scope)
      return function(c, state)
        local k = key(c)
        if k == nil then fail("null is no text") end
        k = text(k)
        local v = value(c)
        local out = state.out
        if group then
          local g = out[k] or {[0] = 0}
          if v == nil then v = NULL end
          local n = g[0] + 1
          g[0], g[n], out[k] = n, v, g
        elseif out[k] ~= nil then fail("a key comes twice")
        else out[k] = v end
      end
    end)
    return function(c)
      local out = {}
      loop(c, {out = out})
      return out
    end
  end

  make.f = function(e, scope)
    local name = e[2]
    if name == "try" or name == "can" then
      local parts, n = all(e, 3, scope)
      return function(c)
        local last
        for i = 1, n do
          local ok, v = pcall(parts[i], c)
          if ok then
            if name == "can" then return true end
            return v
          end
          if type(v) ~= "table" or v.status then error(v, 0) end
          last = v
        end
        if name == "can" then return false end
        error(last, 0)
      end
    end
    local parts, n = all(e, 3, scope)
    local v = VARIADIC[name]
    if v then
      local nulls, f = v[1], v[2]
      return function(c)
        local args = {}
        for i = 1, n do args[i] = parts[i](c) end
        if not nulls then
          for i = 1, n do if args[i] == nil then fail(name .. ": an argument is null") end end
        end
        return f(args, n)
      end
    end
    local known = FUNCTIONS[name]
    if not known then error("function " .. tostring(name), 0) end
    local nulls, f, a1, a2, a3 = known[1], known[2], parts[1], parts[2], parts[3]
    return function(c)
      local x = a1(c)
      local y, z
      if a2 then y = a2(c) end
      if a3 then z = a3(c) end
      if not nulls and (x == nil or a2 and y == nil or a3 and z == nil) then fail(name .. ": an argument is null") end
      return f(x, y, z, a3 ~= nil)
    end
  end

  -- A join of a loop is the loop, appended piece by piece.
  emit.f = function(e, scope)
    if e[2] ~= "join" or e[0] ~= 4 or e[3][1] ~= "c" or e[3][2] ~= "" or e[4][1] ~= "for" or e[4][6] ~= 0 then return nil end
    return rounds(e[4], scope, function() return emitter(e[4][7], scope) end)
  end
end
