-- Regular expressions of paths, as the instructions of a program that Go compiled.
local groups
do
  local MOST = 100000 -- steps; one that would take more is not matched

  local function word(s, at)
    local b = byte(s, at)
    return b ~= nil and (b >= 48 and b <= 57 or b >= 65 and b <= 90 or b >= 97 and b <= 122 or b == 95)
  end

  -- holds says whether a place in a text is what an instruction wants: begin or end of the line, begin or end of the
  -- text, an edge of a word, none.
  local function holds(what, s, at)
    if what == "^" then return at == 1 or byte(s, at - 1) == 10
    elseif what == "$" then return at == #s + 1 or byte(s, at) == 10
    elseif what == "A" then return at == 1
    elseif what == "z" then return at == #s + 1
    elseif what == "b" then return word(s, at - 1) ~= word(s, at) end
    return word(s, at - 1) == word(s, at)
  end

  local function takes(ranges, b)
    for i = 3, ranges[0], 2 do
      if b >= ranges[i] and b <= ranges[i + 1] then return true end
    end
    return false
  end

  -- groups is what the named groups of an expression hold of a text that it matches. Every fork is gone through once at
  -- each place, so it takes no longer than the text times the program.
  function groups(re, s)
    local insts, width = re.i, #s + 2
    local caps, seen, stack, top, steps = {}, {}, {re.s, 1}, 2, 0
    while top > 0 do
      local pc, at = stack[top - 1], stack[top]
      top = top - 2
      while true do
        steps = steps + 1
        if steps > MOST then error({what = "too many steps"}, 0) end
        if pc < 0 then -- a group gets back what it held
          caps[-pc] = at or nil
          break
        end
        local inst = insts[pc]
        local op, out = inst[1], inst[2]
        if op == "r" then
          local b = byte(s, at)
          if not b or not takes(inst, b) then break end
          pc, at = out, at + 1
        elseif op == "a" then
          local key = pc * width + at
          if seen[key] then break end
          seen[key] = true
          stack[top + 1], stack[top + 2] = inst[3], at
          top = top + 2
          pc = out
        elseif op == "c" then
          local slot = inst[3]
          stack[top + 1], stack[top + 2] = -slot, caps[slot] or false
          top = top + 2
          caps[slot] = at
          pc = out
        elseif op == "e" then
          if not holds(inst[3], s, at) then break end
          pc = out
        elseif op == "n" then
          pc = out
        elseif op == "m" then
          local vars = {}
          for i = 1, re.n[0] do
            local from, to = caps[2 * i - 1], caps[2 * i]
            vars[re.n[i]] = from and to and sub(s, from, to - 1) or ""
          end
          return vars
        else
          break
        end
      end
    end
    return {}
  end
end
