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

static const struct swp_script_row rows[SWP_SCRIPT_COUNT] = {
	[SWP_SCRIPT_GRANT] =
		{
			.name = "grant",
			.keys = "job",
			.arguments = "worker, counts (1 or 0), least epoch",
			.answers = "{granted, epoch, attempts}, {sealed, epoch, attempts} or {lost, epoch, "
				   "attempts}",
			.source = DROP_PARTS
			"local job = redis.call('HMGET', KEYS[1], 'e', 's', 'l', 'a')\n"
			"local epoch, attempts = tonumber(job[1] or '0'), tonumber(job[4] or '0')\n"
			"if job[2] then return {'sealed', epoch, attempts} end\n"
			"if job[3] then return {'lost', epoch, attempts} end\n"
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
			.source = REFUSE_STALE "if job[2] then return 0 end\n"
					       "redis.call('HSET', KEYS[1], 'p' .. ARGV[2], ARGV[3])\n"
					       "return 1\n",
		},
	[SWP_SCRIPT_SEAL] =
		{
			.name = "seal",
			.keys = "job",
			.arguments = "epoch, count of parts, seal, then index and part for each part that "
				     "comes along",
			.answers = "1 sealed, 0 was sealed already, -1 stale epoch, -2 parts are missing",
			.source = REFUSE_STALE
			"if job[2] then return 0 end\n"
			"for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], 'p' .. ARGV[i], ARGV[i + 1]) "
			"end\n"
			"for i = 0, tonumber(ARGV[2]) - 1 do\n"
			"  if redis.call('HEXISTS', KEYS[1], 'p' .. string.format('%.0f', i)) == 0 then "
			"return -2 end\n"
			"end\n"
			"local now = redis.call('TIME')\n"
			"redis.call('HSET', KEYS[1], 's', ARGV[3], 't', string.format('%.0f', now[1] * 1000 "
			"+ math.floor(now[2] / 1000)))\n"
			"return 1\n",
		},
	[SWP_SCRIPT_GIVE_UP] =
		{
			.name = "give-up",
			.keys = "job",
			.arguments = "why (worker-lost or store-lost)",
			.answers = "1 marked lost, 0 it is sealed",
			.source = DROP_PARTS "if redis.call('HEXISTS', KEYS[1], 's') == 1 then return 0 end\n"
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
			.source = DROP_PARTS "drop_parts(KEYS[1])\n"
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
			.source = "redis.call('DEL', KEYS[1])\n"
				  "for i = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) "
				  "end\n"
				  "return 1\n",
		},
	[SWP_SCRIPT_ADD_ONCE] =
		{
			.name = "add-once",
			.keys = "list",
			.arguments = "entry",
			.answers = "length of the list",
			.source = "redis.call('LREM', KEYS[1], 0, ARGV[1])\n"
				  "return redis.call('RPUSH', KEYS[1], ARGV[1])\n",
		},
	[SWP_SCRIPT_LEAVE_INDEX] =
		{
			.name = "leave-index",
			.keys = "index, catalogue",
			.arguments = "sweep, hash of the catalogue",
			.answers = "1 the catalogue went too, 0 not",
			.source = "redis.call('ZREM', KEYS[1], ARGV[1])\n"
				  "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do\n"
				  "  if redis.call('HGET', 'swp:' .. id .. ':sweep', 'catalogue') == ARGV[2] "
				  "then return 0 end\n"
				  "end\n"
				  "return redis.call('DEL', KEYS[2])\n",
		},
};

const struct swp_script_row *swp_script_row(enum swp_script script)
{
	return &rows[script];
}
