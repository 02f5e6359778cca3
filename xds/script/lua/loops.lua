-- The evaluator, second part: what binds variables, and calls of functions.
do
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
