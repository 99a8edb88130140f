/**
 * The scripts behind activation-queue.ts. They read and write activations exactly as BullMQ lays out its jobs, so that its
 * own scripts (stalled jobs, promotion, removal) and Bull Board work on them; what differs is that each takes a whole batch
 * in one round trip and writes no event stream. Pinned to bullmq 6.7: a test takes jobs over in both directions.
 *
 * Keys of a queue, after its prefix: `wait` (list, the oldest at the right end), `active` (list), `delayed` (sorted by due
 * time × 4096), `marker` (what blocked workers wait for), `meta`; of a job: its hash, `<id>:lock`, and
 * `de:<deduplication id>` naming the job that stands for it, `dn:<deduplication id>` the wake-up that arrived meanwhile.
 */
const STORE = `
local function options(id, deid)
  return '{"removeOnComplete":true,"removeOnFail":true,"attempts":0,"jobId":"' .. id
    .. '","de":{"id":"' .. deid .. '","keepLastIfActive":true}}'
end
local function store(prefix, wait, id, deid, data, now)
  redis.call('HSET', prefix .. id, 'name', 'activate', 'data', data, 'opts', options(id, deid), 'timestamp', now,
    'delay', 0, 'priority', 0, 'deid', deid)
  redis.call('SET', prefix .. 'de:' .. deid, id)
  redis.call('LPUSH', wait, id)
end
`;

/** Lets go what is suspended; false where it is not, any more. */
const RESUME = `
local function resume(prefix, wait, delayed, id)
  if redis.call('ZREM', delayed, id) == 0 then return false end
  redis.call('LPUSH', wait, id)
  redis.call('HSET', prefix .. id, 'delay', 0)
  return true
end
`;

/**
 * KEYS: wait, marker, delayed. ARGV: prefix, now, limit, then for each: id, deduplication id, data.
 * An activation that waits or is suspended absorbs the wake-up; one that runs is followed by another. A suspension that ends
 * later than the limit, where there is one, is over. Answers how many wait that did not.
 */
export const ADD = `${STORE}${RESUME}
local prefix, now, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local added = 0
for i = 4, #ARGV, 3 do
  local id, deid, data = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local standing = redis.call('GET', prefix .. 'de:' .. deid)
  if standing and redis.call('EXISTS', prefix .. standing) == 1 then
    if redis.call('EXISTS', prefix .. standing .. ':lock') == 1 then
      redis.call('HSET', prefix .. 'dn:' .. deid, 'name', 'activate', 'data', data, 'opts', options(id, deid), 'jid', id)
    elseif limit then
      local due = redis.call('ZSCORE', KEYS[3], standing)
      if due and due / 4096 > limit and resume(prefix, KEYS[1], KEYS[3], standing) then added = added + 1 end
    end
  else
    store(prefix, KEYS[1], id, deid, data, now)
    redis.call('DEL', prefix .. 'dn:' .. deid)
    added = added + 1
  end
end
if added > 0 then redis.call('ZADD', KEYS[2], 0, '0') end
return added
`;

/**
 * What lets go of memory in the end must run when there is none left: a full Redis that refuses to give work away stays full.
 */
const WHEN_FULL = '#!lua flags=allow-oom\n';

/**
 * Ends what was worked and claims what comes next.
 *
 * A command whose answer was lost with its connection is sent again. The answer is therefore kept until its client says that it
 * came, at most for as long as what it claimed is locked: the same command again changes nothing, renews those locks and is
 * answered as before. Otherwise what was claimed the first time would be nobody's for a lease.
 *
 * KEYS: wait, active, delayed, marker, meta, what this very command was answered.
 * ARGV: prefix, now, room, token of new claims, lock in ms, worker's name, how many earlier commands of the client were
 * answered, the token of each, then for each end: id, token, action, due time,
 * id of what follows it, deduplication id. Actions: `done`; `again` (a new activation at the tail); `later` (delayed until
 * the due time).
 * Answers: what became of each end (1, or 0 where the lock was not the caller's), claims as flat `id, data, stalled count,
 * claim count`, and the due time of the first delayed activation ('' for none).
 */
export const EXCHANGE = `${WHEN_FULL}${STORE}${RESUME}
local wait, active, delayed, marker, meta, answer = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local prefix, now, room, token, lockMs, name = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local function answered(ended, claimed)
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  return { ended, claimed, first[2] and tostring(math.floor(first[2] / 4096)) or '' }
end
local before = redis.call('GET', answer)
if before then
  local ended, claimed = {}, {}
  for digit in string.gmatch(before, '%d') do ended[#ended + 1] = tonumber(digit) end
  local ids = redis.call('LRANGE', active, 0, -1)
  for i = #ids, 1, -1 do
    local job = prefix .. ids[i]
    if redis.call('GET', job .. ':lock') == token then
      redis.call('PEXPIRE', job .. ':lock', lockMs)
      local fields = redis.call('HMGET', job, 'data', 'stc', 'ats')
      for _, value in ipairs({ ids[i], fields[1], fields[2] or '0', tonumber(fields[3]) }) do claimed[#claimed + 1] = value end
    end
  end
  return answered(ended, claimed)
end
local answers = tonumber(ARGV[7])
for i = 8, 7 + answers do redis.call('UNLINK', prefix .. 'answer:' .. ARGV[i]) end
local ended = {}
for i = 8 + answers, #ARGV, 6 do
  local id, held, action, due, nextId, deid = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local job = prefix .. id
  if redis.call('GET', job .. ':lock') ~= held then
    ended[#ended + 1] = 0
  else
    redis.call('LREM', active, -1, id)
    if action == 'later' then
      redis.call('DEL', job .. ':lock')
      redis.call('HSET', job, 'delay', due - now)
      redis.call('ZADD', delayed, due * 4096, id)
    else
      local follows = redis.call('DEL', prefix .. 'dn:' .. deid) == 1 or action == 'again'
      local data = follows and redis.call('HGET', job, 'data')
      redis.call('DEL', job, job .. ':lock', prefix .. 'de:' .. deid)
      if data then store(prefix, wait, nextId, deid, data, ARGV[2]) end
    end
    ended[#ended + 1] = 1
  end
end
local due = redis.call('ZRANGEBYSCORE', delayed, 0, (now + 1) * 4096 - 1, 'LIMIT', 0, 1000)
for _, id in ipairs(due) do resume(prefix, wait, delayed, id) end
local claimed = {}
local paused = redis.call('HEXISTS', meta, 'paused') == 1
while not paused and #claimed < 4 * room do
  local id = redis.call('RPOPLPUSH', wait, active)
  if not id then break end
  local job = prefix .. id
  local fields = redis.call('HMGET', job, 'data', 'stc', 'ats')
  if fields[1] then
    local claims = (tonumber(fields[3]) or 0) + 1
    redis.call('SET', job .. ':lock', token, 'PX', lockMs)
    redis.call('HSET', job, 'processedOn', now, 'pb', name, 'ats', claims)
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = fields[1]
    claimed[#claimed + 1] = fields[2] or '0'
    claimed[#claimed + 1] = claims
  else
    redis.call('LREM', active, 1, id)
  end
end
if #ended + #claimed > 0 then redis.call('SET', answer, table.concat(ended), 'PX', lockMs) end
if not paused and redis.call('LLEN', wait) > 0 then redis.call('ZADD', marker, 0, '0') end
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
if first[2] then redis.call('ZADD', marker, first[2] / 4096, '1') end
return answered(ended, claimed)
`;

/**
 * KEYS: locks. ARGV: lock in ms, then the token of each. Answers 1 for each, or 0 where the lock is not the caller's: by place,
 * since a process may ask for two claims of one id, of which it lost the older.
 */
export const RENEW = `${WHEN_FULL}
local held = {}
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[i + 1] then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
    held[i] = 1
  else
    held[i] = 0
  end
end
return held
`;

/**
 * KEYS: wait, active, marker, what says that somebody just looked. ARGV: prefix, for how many ms nobody else need look.
 * Puts back what is active without a lock, before all that wait: a lock is given in the step that makes a job active and
 * taken in the one that ends it, so that only a lock that ran out is missing. Answers how many those were.
 */
export const RECOVER = `${WHEN_FULL}
if not redis.call('SET', KEYS[4], '1', 'NX', 'PX', ARGV[2]) then return 0 end
local recovered = 0
for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
  local job = ARGV[1] .. id
  if redis.call('EXISTS', job .. ':lock') == 0 then
    redis.call('LREM', KEYS[2], 1, id)
    if redis.call('EXISTS', job) == 1 then
      redis.call('HINCRBY', job, 'stc', 1)
      redis.call('RPUSH', KEYS[1], id)
      recovered = recovered + 1
    end
  end
end
if recovered > 0 then redis.call('ZADD', KEYS[3], 0, '0') end
return recovered
`;

/** KEYS: wait, delayed, marker. ARGV: prefix, ids. Makes suspended activations due now; those that are not any more are left. */
export const PROMOTE = `${RESUME}
local promoted = 0
for i = 2, #ARGV do
  if resume(ARGV[1], KEYS[1], KEYS[2], ARGV[i]) then promoted = promoted + 1 end
end
if promoted > 0 then redis.call('ZADD', KEYS[3], 0, '0') end
return promoted
`;
