-- Lambda: the event on the way out, the answer on the way back.
local wrap, unwrap, prepare
do
  function prepare() end
  function wrap() end
  function unwrap() end
end
