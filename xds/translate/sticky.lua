-- The same hash as gateway.StickyBucket. Envoy runs it in a state of its own, once for every request that asks.
local bit, byte, floor = require("bit"), string.byte, math.floor
local tobit, lshift, rshift, bxor, band = bit.tobit, bit.lshift, bit.rshift, bit.bxor, bit.band

-- A product modulo 2^32. A double is exact up to 2^53, so it is made of two.
local function multiply(a, b)
  return tobit(band(a, 0xffff) * b + lshift(tobit(rshift(a, 16) * b), 16))
end

function envoy_match(value)
  if value == "" then
    return false
  end
  local h, size = 0, #value
  for i = size > 1024 and size - 1023 or 1, size do
    h = tobit(h + byte(value, i))
    h = tobit(h + lshift(h, 10))
    h = bxor(h, rshift(h, 6))
  end
  h = tobit(h + lshift(h, 3))
  h = bxor(h, rshift(h, 11))
  h = tobit(h + lshift(h, 15))
  h = multiply(bxor(h, rshift(h, 16)), 0x85ebca6b)
  h = multiply(bxor(h, rshift(h, 13)), 0xc2b2ae35)
  h = bxor(h, rshift(h, 16))
  return floor(h % 4294967296 * 1000000 / 4294967296) < limit
end
