import { durableScript, type DurableScript } from './durable-script.ts';

/**
 * Takes a turn in a partition. KEYS: lock of the job, fence, crashes, waiting jobs, BullMQ's settings, records of the operations. ARGV: lock token, idempotency keys.
 * Answers nothing when the lock is lost: a turn taken after that would have a higher fence than the one of whoever took over. Else the fence, the records, the crashes
 * and the number of waiting jobs. Run twice by a connection that broke, it only counts up.
 *
 * The fence is the time where that is later than one more: a Redis that lost its data, or a replica that lacks the last turns, must not give one that a store has seen. For the same reason
 * the limit of one job at a time is set again.
 */
export const TAKE_TURN: DurableScript = durableScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now)
redis.call('SET', KEYS[2], string.format('%.0f', fence))
redis.call('HSET', KEYS[5], 'concurrency', 1)
return {
  fence,
  redis.call('MGET', unpack(KEYS, 6)),
  redis.call('HMGET', KEYS[3], unpack(ARGV, 2)),
  redis.call('LLEN', KEYS[4]),
}`);

/**
 * Tells that operations are about to be executed, unless the turn is lost. KEYS: fence, crashes. ARGV: fence of the turn, call, idempotency keys.
 * The count goes back to nothing with the outcome: what is left counts workers that vanished. It is told under the name of the call, so that running it twice counts once.
 */
export const OPEN_CALL: DurableScript = durableScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[2], '') == ARGV[2] then return 1 end
redis.call('HSET', KEYS[2], '', ARGV[2])
for i = 3, #ARGV do redis.call('HINCRBY', KEYS[2], ARGV[i], 1) end
return 1`);

/** Takes back what {@link OPEN_CALL} told, if it is of this call: its worker did not vanish. KEYS and ARGV as there. */
export const ABANDON_CALL: DurableScript = durableScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[2], '') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[2], '')
for i = 3, #ARGV do
  if redis.call('HINCRBY', KEYS[2], ARGV[i], -1) < 1 then redis.call('HDEL', KEYS[2], ARGV[i]) end
end
return 1`);

/**
 * Records outcomes, unless the turn is lost, and tells the producers. KEYS: fence, crashes, counts, index of dead letters, dead letters, then the record of each operation.
 * ARGV: fence of the turn, time, time to live, number of operations; for each of them its idempotency key, 'ok', 'dead' or 'again', the record, and the dead letter;
 * then channels and messages.
 * The first outcome counts, so running it twice changes nothing.
 */
export const SETTLE: DurableScript = durableScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local at = 5
for i = 1, tonumber(ARGV[4]) do
  local key, outcome, record = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  redis.call('HDEL', KEYS[2], key)
  if outcome == 'ok' then
    if redis.call('SET', KEYS[5 + i], record, 'PX', ARGV[3], 'NX') then redis.call('HINCRBY', KEYS[3], 'succeeded', 1) end
    if redis.call('ZREM', KEYS[4], key) == 1 then redis.call('HDEL', KEYS[5], key) end
  elseif outcome == 'dead' and redis.call('SET', KEYS[5 + i], record, 'NX') then
    redis.call('HINCRBY', KEYS[3], 'failed', 1)
    redis.call('ZADD', KEYS[4], ARGV[2], key)
    redis.call('HSET', KEYS[5], key, ARGV[at + 3])
  end
  at = at + 4
end
while at < #ARGV do
  redis.call('PUBLISH', ARGV[at], ARGV[at + 1])
  at = at + 2
end
return 1`);

/**
 * The waiting jobs that come next, as long as their operations fit. KEYS: waiting jobs. ARGV: room, what comes before a job's id, ids of jobs to pass over. The ids tell how many
 * operations a job has. Answers id, data, id, data and so on.
 */
export const PEEK: DurableScript = durableScript(`
local room = tonumber(ARGV[1])
local known = {}
for i = 3, #ARGV do known[ARGV[i]] = true end
local found = {}
for place = 1, 64 + #ARGV do
  local id = redis.call('LINDEX', KEYS[1], -place)
  if not id then break end
  if not known[id] then
    room = room - (tonumber(string.match(id, '%.(%d+)$')) or room + 1)
    if room < 0 then break end
    local data = redis.call('HGET', ARGV[2] .. id, 'data')
    if not data then break end
    found[#found + 1] = id
    found[#found + 1] = data
  end
end
return found`);
