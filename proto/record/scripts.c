/* The Lua. Each script touches the keys that it is told in KEYS; leave-index also reads the rows of other sweeps. */
#include "proto/record/scripts.h"

/* Drops the parts p0, p1 … of a hash; shared text of several scripts. */
#define DROP_PARTS                                                                                           \
	"local function drop_parts(key)\n"                                                                   \
	"  for _, field in ipairs(redis.call('HKEYS', key)) do\n"                                            \
	"    if string.match(field, '^p%d+$') then redis.call('HDEL', key, field) end\n"                     \
	"  end\n"                                                                                            \
	"end\n"
/* Answers -1 unless ARGV[1] is the granted epoch and the job was not given up, 0 if it is sealed. */
#define REFUSE_STALE                                                                                         \
	"local job = redis.call('HMGET', KEYS[1], 'e', 's', 'l')\n"                                          \
	"if job[1] ~= ARGV[1] or job[3] then return -1 end\n"

/* What only the coordinator that owns the sweep may do: each key behind the script's own is a row whose `term` must still be what the
 * first arguments say. The terms are taken off the arguments. */
#define REFUSE_DEPOSED(own_keys)                                                                             \
	"for i = " own_keys " + 1, #KEYS do\n"                                                               \
	"  local term = table.remove(ARGV, 1)\n"                                                             \
	"  if redis.call('HGET', KEYS[i], 'term') ~= term then\n"                                            \
	"    return redis.error_reply('" SWP_SCRIPT_DEPOSED " another coordinator has taken over')\n"        \
	"  end\n"                                                                                            \
	"end\n"
#define NOW_MS                                                                                               \
	"local time = redis.call('TIME')\n"                                                                  \
	"local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"

static const struct swp_script_row rows[SWP_SCRIPT_COUNT] = {
	[SWP_SCRIPT_GRANT] =
		{
			.name = "grant",
			.keys = "job, lock",
			.arguments = "worker, counts (1 or 0), least epoch",
			.answers = "{granted, epoch, attempts}, {sealed, epoch, attempts}, {lost, epoch, "
				   "attempts} or {locked, epoch, attempts}",
			.own_keys = 2,
			.fenced = true,
			.source = REFUSE_DEPOSED("2") DROP_PARTS NOW_MS
			"local job = redis.call('HMGET', KEYS[1], 'e', 's', 'l', 'a')\n"
			"local epoch, attempts = tonumber(job[1] or '0'), tonumber(job[4] or '0')\n"
			"if job[2] then return {'sealed', epoch, attempts} end\n"
			"if job[3] then return {'lost', epoch, attempts} end\n"
			"local holder = redis.call('GET', KEYS[2])\n"
			"if holder and holder ~= KEYS[1] then\n"
			"  local held = redis.call('HMGET', holder, 'e', 's', 'l')\n"
			"  local owner = redis.call('HMGET', string.gsub(holder, ':job:.*', ':sweep'), "
			"'state', "
			"'until')\n"
			"  if held[1] and not held[2] and not held[3] and owner[1] == 'running' and "
			"math.abs(tonumber(owner[2] or '0') - now) < 15000 then\n"
			"    return {'locked', epoch, attempts}\n"
			"  end\n"
			"end\n"
			"redis.call('SET', KEYS[2], KEYS[1], 'PX', 7200000)\n"
			"drop_parts(KEYS[1])\n"
			"epoch = math.max(epoch + 1, tonumber(ARGV[3]))\n"
			"if ARGV[2] == '1' then attempts = attempts + 1 end\n"
			"redis.call('HSET', KEYS[1], 'e', string.format('%.0f', epoch), 'a', "
			"string.format('%.0f', attempts), 'w', ARGV[1])\n"
			"return {'granted', epoch, attempts}\n",
		},
	[SWP_SCRIPT_COMMIT_PART] =
		{
			.name = "commit-part",
			.keys = "job",
			.arguments = "epoch, index, part",
			.answers = "1 written, 0 sealed already, -1 stale epoch",
			.own_keys = 1,
			.source = REFUSE_STALE "if job[2] then return 0 end\n"
					       "redis.call('HSET', KEYS[1], 'p' .. ARGV[2], ARGV[3])\n"
					       "return 1\n",
		},
	[SWP_SCRIPT_SEAL] =
		{
			.name = "seal",
			.keys = "job, lock",
			.arguments = "epoch, count of parts, seal, then index and part for each part that "
				     "comes along",
			.answers = "1 sealed, 0 was sealed already, -1 stale epoch, -2 parts are missing",
			.own_keys = 2,
			.source = REFUSE_STALE
			"if job[2] then return 0 end\n"
			"for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], 'p' .. ARGV[i], ARGV[i + 1]) "
			"end\n"
			"for i = 0, tonumber(ARGV[2]) - 1 do\n"
			"  if redis.call('HEXISTS', KEYS[1], 'p' .. string.format('%.0f', i)) == 0 then "
			"return -2 end\n"
			"end\n" NOW_MS
			"redis.call('HSET', KEYS[1], 's', ARGV[3], 't', string.format('%.0f', now))\n"
			"if redis.call('GET', KEYS[2]) == KEYS[1] then redis.call('DEL', KEYS[2]) end\n"
			"return 1\n",
		},
	[SWP_SCRIPT_GIVE_UP] =
		{
			.name = "give-up",
			.keys = "job",
			.arguments = "why (worker-lost or store-lost)",
			.answers = "1 marked lost, 0 it is sealed",
			.own_keys = 1,
			.fenced = true,
			.source = REFUSE_DEPOSED("1") DROP_PARTS
			"if redis.call('HEXISTS', KEYS[1], 's') == 1 then return 0 end\n"
			"drop_parts(KEYS[1])\n"
			"redis.call('HSET', KEYS[1], 'l', ARGV[1] or '1')\n"
			"return 1\n",
		},
	[SWP_SCRIPT_FORGET] =
		{
			.name = "forget",
			.keys = "job",
			.arguments = "none",
			.answers = "1",
			.own_keys = 1,
			.fenced = true,
			.source = REFUSE_DEPOSED("1") DROP_PARTS
			"drop_parts(KEYS[1])\n"
			"redis.call('HDEL', KEYS[1], 's', 't', 'l', 'a')\n"
			"redis.call('HINCRBY', KEYS[1], 'e', 1)\n"
			"return 1\n",
		},
	[SWP_SCRIPT_REPLACE_HASH] =
		{
			.name = "replace-hash",
			.keys = "hash",
			.arguments = "field, value, and so on",
			.answers = "1",
			.own_keys = 1,
			.fenced = true,
			.source = REFUSE_DEPOSED("1") "redis.call('DEL', KEYS[1])\n"
						      "for i = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], "
						      "ARGV[i], ARGV[i + 1]) "
						      "end\n"
						      "return 1\n",
		},
	[SWP_SCRIPT_ADD_ONCE] =
		{
			.name = "add-once",
			.keys = "list",
			.arguments = "entry",
			.answers = "length of the list",
			.own_keys = 1,
			.fenced = true,
			.source = REFUSE_DEPOSED("1") "redis.call('LREM', KEYS[1], 0, ARGV[1])\n"
						      "return redis.call('RPUSH', KEYS[1], ARGV[1])\n",
		},
	[SWP_SCRIPT_LEAVE_INDEX] =
		{
			.name = "leave-index",
			.keys = "index, catalogue",
			.arguments = "sweep, hash of the catalogue",
			.answers = "1 the catalogue went too, 0 not",
			.own_keys = 2,
			.fenced = true,
			.source = REFUSE_DEPOSED(
				"2") "redis.call('ZREM', KEYS[1], ARGV[1])\n"
				     "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do\n"
				     "  if redis.call('HGET', 'swp:' .. id .. ':sweep', 'catalogue') == "
				     "ARGV[2] "
				     "then return 0 end\n"
				     "end\n"
				     "return redis.call('DEL', KEYS[2])\n",
		},
	[SWP_SCRIPT_WRITE] =
		{
			.name = "write",
			.keys = "key",
			.arguments = "command, then its arguments behind the key",
			.answers = "as the command does",
			.own_keys = 1,
			.fenced = true,
			.source =
				REFUSE_DEPOSED("1") "return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))\n",
		},
	[SWP_SCRIPT_DROP] =
		{
			.name = "drop",
			.keys = "none",
			.arguments = "keys that go",
			.answers = "how many there were",
			.own_keys = 0,
			.fenced = true,
			.source = REFUSE_DEPOSED("0") "local gone = 0\n"
						      "for _, key in ipairs(ARGV) do gone = gone + "
						      "redis.call('UNLINK', key) end\n"
						      "return gone\n",
		},
	[SWP_SCRIPT_TAKE_OVER] =
		{
			.name = "take-over",
			.keys = "row (of a sweep, or of the leader)",
			.arguments =
				"owner, host, lease (ms), wall clock (ms), term to assert or 0, owner that "
				"is known to be gone or empty, owner and end of the lease that was watched "
				"for long enough or empty",
			.answers = "{owned, term, the owner before}, {held, ms left, owner, host, end of the "
				   "lease} or {finished, 0, empty}",
			.own_keys = 1,
			.fenced = true,
			.source = REFUSE_DEPOSED("1") NOW_MS
			"local row = redis.call('HMGET', KEYS[1], 'term', 'owner', 'until', 'host', "
			"'accounts')\n"
			"local stored, term = tonumber(row[1] or '0'), tonumber(ARGV[5])\n"
			"local ends = tonumber(row[3] or '0')\n"
			"if term > 0 then\n"
			"  if stored > term then return redis.error_reply('" SWP_SCRIPT_DEPOSED
			" another coordinator has taken over') end\n"
			"else\n"
			"  if redis.call('HGET', KEYS[1], 'state') == 'finished' then return {'finished', 0, "
			"''} end\n"
			"  local over = row[2] == ARGV[6] or row[2] == ARGV[7] and row[3] == ARGV[8]\n"
			"  if row[2] and row[2] ~= ARGV[1] and not over and ends > now then\n"
			"    return {'held', ends - now, row[2], row[4] or '', row[3]}\n"
			"  end\n"
			"  term = math.max(stored, tonumber(ARGV[4]), now) + 1\n"
			"end\n"
			"if row[2] ~= ARGV[1] then redis.call('HSET', KEYS[1], 'since', "
			"string.format('%.0f', now)) "
			"end\n"
			"local counted_in, counts = string.match(row[5] or '', '^(%S+) (.*)$')\n"
			"if not row[1] and string.match(KEYS[1], ':sweep$') then counted_in, counts = "
			"row[1], "
			"'0 0' end\n"
			"if counts and counted_in == row[1] then\n"
			"  redis.call('HSET', KEYS[1], 'accounts', string.format('%.0f', term) .. ' ' .. "
			"counts)\n"
			"end\n"
			"redis.call('HSET', KEYS[1], 'term', string.format('%.0f', term), 'owner', ARGV[1], "
			"'host', "
			"ARGV[2], 'until', string.format('%.0f', now + tonumber(ARGV[3])))\n"
			"return {'owned', term, row[2] or ''}\n",
		},
	[SWP_SCRIPT_RENEW] =
		{
			.name = "renew",
			.keys = "row (of a sweep, or of the leader), drains",
			.arguments = "lease (ms); 0 gives it up",
			.answers = "{who asked that the sweep be cancelled or empty, names of workers to "
				   "drain …}",
			.own_keys = 2,
			.fenced = true,
			.source = REFUSE_DEPOSED("2") NOW_MS
			"redis.call('HSET', KEYS[1], 'until', string.format('%.0f', ARGV[1] == '0' and 0 or "
			"now + "
			"tonumber(ARGV[1])))\n"
			"local answer = redis.call('HKEYS', KEYS[2])\n"
			"table.insert(answer, 1, redis.call('HGET', KEYS[1], 'cancel_asked') or '')\n"
			"return answer\n",
		},
	[SWP_SCRIPT_ASSERT_GRANT] =
		{
			.name = "assert-grant",
			.keys = "job",
			.arguments = "worker, epoch, attempts",
			.answers = "1 it stands, 0 it is sealed, given up, or granted anew",
			.own_keys = 1,
			.fenced = true,
			/* A store that lost the grant may have parts of the one before. */
			.source = REFUSE_DEPOSED("1") DROP_PARTS
			"local job = redis.call('HMGET', KEYS[1], 'e', 's', 'l')\n"
			"local epoch = tonumber(job[1] or '0')\n"
			"if job[2] or job[3] or epoch > tonumber(ARGV[2]) then return 0 end\n"
			"if epoch < tonumber(ARGV[2]) then\n"
			"  drop_parts(KEYS[1])\n"
			"  redis.call('HSET', KEYS[1], 'e', ARGV[2], 'a', ARGV[3], 'w', ARGV[1])\n"
			"end\n"
			"return 1\n",
		},
	[SWP_SCRIPT_ACCOUNT] =
		{
			.name = "account",
			.keys = "accounts, row of the sweep",
			.arguments = "account, its row, planned (1 or 0)",
			.answers = "1",
			.own_keys = 2,
			.fenced = true,
			/* A row that is there and was not counted: the sweep's row was lost without it. The seventh member is `not_planned`. */
			.source =
				REFUSE_DEPOSED(
					"2") "local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
					     "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])\n"
					     "local sweep = redis.call('HMGET', KEYS[2], 'term', "
					     "'accounts')\n"
					     "local counted_in, rows, planned = string.match(sweep[2] or '', "
					     "'^(%S+) (%d+) (%d+)$')\n"
					     "if not counted_in or counted_in ~= sweep[1] then return 1 end\n"
					     "if old and rows == '0' then redis.call('HDEL', KEYS[2], "
					     "'accounts') return 1 end\n"
					     "local was_planned = old and not cmsgpack.unpack(old)[7]\n"
					     "rows = rows + (old and 0 or 1)\n"
					     "planned = planned + ARGV[3] - (was_planned and 1 or 0)\n"
					     "redis.call('HSET', KEYS[2], 'accounts', string.format('%s %.0f "
					     "%.0f', counted_in, rows, "
					     "planned))\n"
					     "return 1\n",
		},
};

const struct swp_script_row *swp_script_row(enum swp_script script)
{
	return &rows[script];
}
