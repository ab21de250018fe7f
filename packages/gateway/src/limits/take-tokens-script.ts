/** A limit of n per minute admits at most n requests in any 60 s. */
export const windowSeconds = 60;
/** Slots of one second. An interval of 60 s touches up to 61 of them, so a request counts until second + 61. */
export const slotSeconds = windowSeconds + 1;

/**
 * Takes tokens out of two windows at once, or out of neither. A window is a hash: one count per second (field: that
 * second in Unix time), `at` the second it was last slid to, `used` the sum then, `first` its oldest second in use.
 * Within a second a call touches three fields; the first call of a second reads all.
 *
 * KEYS: the caller's window, its company's; one hash tag, so that both lie on one node of a cluster.
 * ARGV: tokens wanted · second and number of tokens taken before and not used · tokens admitted without Redis that
 * still count · limit of the caller · limit of the company.
 * Answers: granted · the second they were taken in · microseconds left of it, 0 when the clock had stepped back ·
 * for either window: used, and the second from which on more is free (when refused: the first token).
 */
export const takeTokensLua = `
local time = redis.call('TIME')
local now, micros = tonumber(time[1]), tonumber(time[2])
local slots = ${slotSeconds}

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
  local fields = redis.call('HGETALL', key)
  for index = 1, #fields, 2 do
    local second = tonumber(fields[index])
    if second then
      local count = tonumber(fields[index + 1])
      if second <= now - slots or second > now or count == 0 then
        redis.call('HDEL', key, second)
      else
        window.used = window.used + count
        if second < window.first then window.first = second end
      end
    end
  end
  redis.call('HSET', key, 'at', now, 'used', window.used, 'first', window.first)
  return window
end

local function take(window, count)
  if count == 0 then return end
  window.used = window.used + count
  redis.call('HINCRBY', window.key, window.second, count)
  redis.call('HSET', window.key, 'at', window.second, 'used', window.used, 'first', window.first)
  redis.call('PEXPIRE', window.key, (slots + 1) * 1000)
end

local function free_at(window, limit, refused)
  if not refused or window.used < limit then return window.first + slots end
  local excess = window.used - limit + 1
  for second = window.first, window.second do
    excess = excess - tonumber(redis.call('HGET', window.key, second) or 0)
    if excess <= 0 then return second + slots end
  end
  return window.second + slots
end

local wanted, unused_second, unused, owed = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local limits = { tonumber(ARGV[5]), tonumber(ARGV[6]) }
if unused > 0 then
  give_back(KEYS[1], unused_second, unused)
  give_back(KEYS[2], unused_second, unused)
end
local windows = { slide(KEYS[1]), slide(KEYS[2]) }
local granted = wanted
for index = 1, 2 do
  granted = math.min(granted, limits[index] - windows[index].used - owed)
end
if granted < 0 then granted = 0 end
take(windows[1], granted + owed)
take(windows[2], granted + owed)
local left = 1000000 - micros
if windows[1].second ~= now or windows[2].second ~= now then left = 0 end
local refused = granted < wanted
return { granted, now, left,
  windows[1].used, free_at(windows[1], limits[1], refused),
  windows[2].used, free_at(windows[2], limits[2], refused) }
`;

export type Taken = {
  granted: number;
  /** Redis's second (Unix time) in which they were taken: the only one they may be used in. */
  second: number;
  /** What was left of that second when Redis answered. */
  leftMs: number;
  used: number;
  /** Unix second from which on the caller's window has more to give. */
  freeSecond: number;
  companyUsed: number;
  companyFreeSecond: number;
};

export const readTaken = (answer: readonly number[]): Taken => {
  const [granted = 0, second = 0, leftMicros = 0, used = 0, freeSecond = 0, companyUsed = 0, companyFreeSecond = 0] =
    answer;
  return { granted, second, leftMs: leftMicros / 1_000, used, freeSecond, companyUsed, companyFreeSecond };
};
