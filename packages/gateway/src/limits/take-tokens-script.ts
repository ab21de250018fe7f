/** A limit of n per minute admits at most n requests in any 60 s. */
export const windowSeconds = 60;
/** Slots of one second. An interval of 60 s touches up to 61 of them, so a request counts until second + 61. */
export const slotSeconds = windowSeconds + 1;

/** For how many seconds beyond the present one tokens can be taken at most. */
export const longestSpanSeconds = 8;

/**
 * Takes tokens out of two windows at once, or out of neither. A window is a hash: one count per second (field: that
 * second in Unix time), `at` the second it was last slid to, `used` the sum then, `first` a second no later than its
 * oldest in use. Within a second a call touches three fields; the first call of a second reads all.
 *
 * Tokens for several seconds are entered in the last of them: they count until 61 seconds after the last moment they
 * can be used in, and so for up to `span` seconds longer than they need to. Hence they are granted only while at most
 * half of either limit is used, these included; else only those needed now are, for the present second.
 *
 * KEYS: the caller's window, its company's; one hash tag, so that both lie on one node of a cluster.
 * ARGV: tokens wanted · how many of them are needed now · span, the seconds beyond the present one in which they may be
 * used · second they were entered in and number of tokens taken before and not used · tokens admitted without Redis
 * that still count · limit of the caller · limit of the company.
 * Answers: granted · the present second · the second they were entered in · microseconds until the end of that one, 0
 * when the clock had stepped back · for either window: used, and the second from which on more is free (with the limit
 * reached: the first token).
 */
export const takeTokensLua = `
local time = redis.call('TIME')
local now, micros = tonumber(time[1]), tonumber(time[2])
local slots, longest = ${slotSeconds}, ${longestSpanSeconds}

local function give_back(key, second, count)
  local taken = tonumber(redis.call('HGET', key, second) or 0)
  if count > taken then count = taken end
  if count <= 0 then return end
  redis.call('HINCRBY', key, second, -count)
  redis.call('HINCRBY', key, 'used', -count)
end

local function slide(key)
  local head = redis.call('HMGET', key, 'at', 'used', 'first')
  local at = tonumber(head[1])
  -- A clock that stepped back a little waits for itself; one that jumped leaves windows nobody could wait for.
  if at and at >= now and at - now < slots then
    return { key = key, second = at, used = tonumber(head[2]), first = tonumber(head[3]) }
  end
  local window = { key = key, second = now, used = 0, first = now }
  if not at then return window end
  local fields, first = redis.call('HGETALL', key), nil
  for index = 1, #fields, 2 do
    local second = tonumber(fields[index])
    if second then
      local count = tonumber(fields[index + 1])
      if second <= now - slots or second > now + longest or count == 0 then
        redis.call('HDEL', key, second)
      else
        window.used = window.used + count
        if not first or second < first then first = second end
      end
    end
  end
  window.first = first or now
  redis.call('HSET', key, 'at', now, 'used', window.used, 'first', window.first)
  return window
end

local function take(window, count, second)
  if count == 0 then return end
  if window.used == 0 or second < window.first then window.first = second end
  window.used = window.used + count
  redis.call('HINCRBY', window.key, second, count)
  redis.call('HSET', window.key, 'at', window.second, 'used', window.used, 'first', window.first)
  redis.call('PEXPIRE', window.key, (slots + longest + 1) * 1000)
end

local function free_at(window, limit)
  if window.used == 0 then return window.second end
  local excess = math.max(1, window.used - limit + 1)
  for second = window.first, window.second + longest do
    excess = excess - tonumber(redis.call('HGET', window.key, second) or 0)
    if excess <= 0 then return second + slots end
  end
  return window.second + slots
end

local wanted, needed, span = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local unused_second, unused, owed = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local limits = { tonumber(ARGV[7]), tonumber(ARGV[8]) }
if unused > 0 then
  give_back(KEYS[1], unused_second, unused)
  give_back(KEYS[2], unused_second, unused)
end
local windows = { slide(KEYS[1]), slide(KEYS[2]) }
local left = 1000000 - micros
if windows[1].second ~= now or windows[2].second ~= now then left = 0 end
if span > 0 then
  for index = 1, 2 do
    if left == 0 or (windows[index].used + owed + wanted) * 2 > limits[index] then
      wanted, span = needed, 0
    end
  end
end
local granted = wanted
for index = 1, 2 do
  granted = math.min(granted, limits[index] - windows[index].used - owed)
end
if granted < 0 then granted = 0 end
for index = 1, 2 do
  local window = windows[index]
  take(window, owed, window.second)
  take(window, granted, window.second + span)
end
if left > 0 then left = left + span * 1000000 end
return { granted, now, now + span, left,
  windows[1].used, free_at(windows[1], limits[1]),
  windows[2].used, free_at(windows[2], limits[2]) }
`;

export type Taken = {
  granted: number;
  /** Redis's present second (Unix time). */
  second: number;
  /** The second they were entered in: the last one they may be used in. */
  slot: number;
  /** What was left until the end of that one when Redis answered. */
  leftMs: number;
  used: number;
  /** Unix second from which on the caller's window has more to give. */
  freeSecond: number;
  companyUsed: number;
  companyFreeSecond: number;
};

export const readTaken = (answer: readonly number[]): Taken => {
  const [granted = 0, second = 0, slot = 0, leftMicros = 0, ...windows] = answer;
  const [used = 0, freeSecond = 0, companyUsed = 0, companyFreeSecond = 0] = windows;
  return { granted, second, slot, leftMs: leftMicros / 1_000, used, freeSecond, companyUsed, companyFreeSecond };
};
