/* Every ceiling of orgsweep, each with its reason. A test crosses each of them.
 */
#ifndef SWP_BASE_LIMITS_H
#define SWP_BASE_LIMITS_H

/* --- memory and text --- */
#define SWP_LIMIT_BUFFER_BYTES (64u << 20)  /* any buffer without a ceiling of its own */
#define SWP_LIMIT_REGION_BYTES (256u << 20) /* what one job may build */
#define SWP_LIMIT_SECRET_BYTES (64u << 10)  /* web identity tokens are the longest secrets we hold */
#define SWP_LIMIT_FILE_BYTES (8u << 20)	    /* configuration, credentials and key files */

#define SWP_LIMIT_OUTPUT_BYTES (1u << 20) /* what a child prints: credential_process prints under 8 KiB */
#define SWP_LIMIT_LOG_VALUE_BYTES                                                                            \
	(4u << 10) /* one value of a log line: AWS messages may be long, lines are for reading */
#define SWP_LIMIT_LOG_LINE_BYTES (256u << 10) /* a line is written by one write */

/* --- answers of AWS --- */
#define SWP_LIMIT_RESPONSE_BYTES                                                                             \
	(8u << 20)		    /* GetAccountAuthorizationDetails pages are the longest, under 2 MiB */
#define SWP_LIMIT_DOCUMENT_DEPTH 64 /* no AWS answer nests deeper than 20 */
#define SWP_LIMIT_DOCUMENT_VALUES                                                                            \
	500000 /* a full answer (8 MiB) of 16 bytes a value; each takes about 100 bytes of memory */
#define SWP_LIMIT_LIST_PAGES 1000	   /* a list walk: 100,000 resources at 100 a page */
#define SWP_LIMIT_LIST_RESOURCES 100000	   /* resources of one list in one account and region */
#define SWP_LIMIT_EMPTY_PAGES 50	   /* pages in a row that bring nothing but a token */
#define SWP_LIMIT_TOKEN_BYTES (64u << 10)  /* a page token */
#define SWP_LIMIT_HEADER_BYTES (64u << 10) /* all response headers together */

/* --- retries and time (milliseconds); each inside the next --- */
#define SWP_LIMIT_CONNECT_MS 3100 /* AWS SDK "standard" defaults mode */
#define SWP_LIMIT_ATTEMPT_MS 60000
#define SWP_LIMIT_CALL_MS 120000     /* one call with its retries */
#define SWP_LIMIT_JOB_IDLE_MS 300000 /* a job without progress */
#define SWP_LIMIT_JOB_MS 7200000     /* a job at all */
#define SWP_LIMIT_ATTEMPTS 8	     /* tries of one call, the first included */
#define SWP_RETRY_QUOTA_TOKENS 500   /* AWS SDK standard retry quota */
#define SWP_LIMIT_JOB_ATTEMPTS 3     /* leases of one job before worker-lost */
#define SWP_HEARTBEAT_MS 1000
#define SWP_LEASE_MS 15000
#define SWP_STORE_AWAY_MS 600000 /* store unreachable for that long: exit 5 */
#define SWP_PRUNE_UNFINISHED_MS                                                                              \
	86400000 /* from its lease's end: an unfinished sweep is not pruned for so long, as it may be gone on with */
#define SWP_PRUNE_WORKER_MS 86400000 /* a worker that is lost is shown for so long, and its row kept */
#define SWP_CANCEL_GRACE_MS 1000     /* from the signal to the partial report */
#define SWP_CANCEL_IDLE_MS                                                                                   \
	500 /* no job was settled for so long after a signal: AWS hangs, and the rest of the grace is given up */
#define SWP_CANCEL_STORE_MS                                                                                  \
	3000 /* a store that is away is waited for so long after a signal: somebody is waiting too */

/* --- credentials --- */
#define SWP_SESSION_SECONDS 3600	    /* role chaining allows no more */
#define SWP_JOB_MIN_VALID_MS 1200000	    /* a JOB is sent with at least 20 min left */
#define SWP_RENEW_BEFORE_MS 300000	    /* a worker asks for renewal 5 min before the end */
#define SWP_LIMIT_SESSION_POLICY_CHARS 2048 /* STS: inline session policy */
#define SWP_LIMIT_SESSIONS 8		    /* of one account at once: each is an AssumeRole an hour */
#define SWP_LIMIT_PROFILE_CHAIN 16	    /* source_profile hops */
#define SWP_LIMIT_PROFILE_SECTIONS                                                                           \
	10000 /* one AWS config or credentials file: a profile an account of the largest organization */
#define SWP_LIMIT_COMMAND_WORDS 256		   /* credential_process */
#define SWP_LIMIT_CREDENTIAL_JSON_BYTES (1u << 20) /* answer of a provider; real ones are under 4 KiB */
#define SWP_LIMIT_CREDENTIAL_PROCESS_MS                                                                      \
	300000				   /* credential_process may open a browser and wait for a person */
#define SWP_LIMIT_METADATA_ATTEMPTS 10	   /* AWS_METADATA_SERVICE_NUM_ATTEMPTS */
#define SWP_LIMIT_METADATA_MS 60000	   /* AWS_METADATA_SERVICE_TIMEOUT */
#define SWP_CREDENTIAL_ADVISORY_MS 900000  /* AWS SDKs: refresh is tried from 15 min before the end */
#define SWP_CREDENTIAL_MANDATORY_MS 600000 /* AWS SDKs: must succeed from 10 min before the end */
#define SWP_CREDENTIAL_RETRY_MS 60000	   /* after a failed advisory refresh: as botocore waits */

/* --- sweep --- */
#define SWP_LIMIT_OPEN_ACCOUNTS 256		/* accounts with credentials and jobs in memory */
#define SWP_LIMIT_PART_RESOURCES 1000		/* result rows in one record part */
#define SWP_LIMIT_UNCOMMITTED_BYTES (32u << 20) /* a worker's results not yet acknowledged by the store */
#define SWP_LIMIT_WIRE_BYTES (64u << 20)	/* one ZeroMQ message */
#define SWP_LIMIT_WIRE_UP_BYTES                                                                              \
	(1u << 20) /* one of a worker's: a greeting that names SWP_LIMIT_HOLDS jobs takes half of it */
#define SWP_LIMIT_WIRE_WAITING 256 /* messages of one worker that the coordinator has not taken yet */
#define SWP_LIMIT_WORKERS 4096
#define SWP_LIMIT_UNHEARD                                                                                    \
	1024 /* connections that have not said anything yet; a worker's says hello within a second */
#define SWP_LIMIT_CALLS_IN_FLIGHT 512 /* of one worker; one endpoint host: at most that many connections */
#define SWP_CALLS_AT_FIRST                                                                                   \
	64 /* of these at the start: hundreds of TLS handshakes at once outlast the connect deadline on a busy host */
#define SWP_LIMIT_ORGANIZATIONAL_UNITS 10000
#define SWP_LIMIT_ACCOUNTS 100000
#define SWP_JOIN_PARTITIONS 256 /* organization-level joins are done one partition at a time */

/* --- worker --- */
#define SWP_WORKER_CREDITS                                                                                   \
	192 /* jobs at once: at 400 ms latency, 128 leave a quarter of the calls in flight unused */
#define SWP_LIMIT_JOB_CALLS                                                                                  \
	64 /* calls of one job that are open at once; its limiters pass a burst of 20 a service */
#define SWP_LIMIT_COORDINATORS 16 /* --connect options of one worker */
#define SWP_LIMIT_OUTBOX 8192	  /* frames that wait for a coordinator to come back */
#define SWP_DRAIN_MS 30000	  /* running jobs may finish for that long after SIGTERM */
#define SWP_WORKER_REST_MS                                                                                   \
	10000 /* without jobs for that long: connections are closed, memory is given back */
#define SWP_RENEW_AGAIN_MS 30000 /* RENEW is repeated when no answer came */

/* --- records and wire --- */
#define SWP_LIMIT_PART_BYTES                                                                                 \
	(8u << 20) /* one record part: 1,000 rows with full evidence; a writer ends it at half of that */
#define SWP_LIMIT_ROW_TEXT_BYTES (16u << 10) /* one text of a stored row: evidence is the longest */
#define SWP_LIMIT_RECORD_REGIONS 1024	     /* regions of one account; AWS has under 40 */
#define SWP_LIMIT_CHAIN_ENTRIES 100000	     /* resources or findings of one chain instance */
#define SWP_LIMIT_WIRE_TEXT_BYTES (4u << 10) /* a text member of a message: name, ARN, URL */
#define SWP_LIMIT_JOB_LIMITS 64		     /* services of a job whose learned rates are told */
#define SWP_LIMIT_LEARNED                                                                                    \
	200000		     /* rates that a sweep takes over; only places that were throttled have some */
#define SWP_LIMIT_HOLDS 4096 /* jobs of one worker, held or named in a heartbeat */
#define SWP_LIMIT_SIGNING_KEYS 1024  /* services × regions × days of one job */
#define SWP_LIMIT_ENDPOINT_ROWS 4096 /* configured endpoints */
#define SWP_LIMIT_VIOLATIONS 16	     /* broken frames of one peer before it is forgotten */
#define SWP_LIMIT_FOLDER_FILES 8192 /* public keys of workers: SWP_LIMIT_WORKERS, and as many again retired */
#define SWP_LIMIT_KEYFILE_BYTES (16u << 10) /* a CURVE key file is under 200 bytes */

/* --- store --- */
#define SWP_LIMIT_STORE_REPLY_BYTES (64u << 20) /* one reply of Redis; a record part is far below */
#define SWP_LIMIT_STORE_WAITING_BYTES                                                                        \
	(64u << 20) /* commands not sent yet: twice what a worker may have uncommitted */
#define SWP_LIMIT_STORE_COMMAND_MS                                                                           \
	30000 /* Redis says nothing for that long though it was asked: connection is dead */
#define SWP_LIMIT_STORE_SENTINEL_COMMAND_MS                                                                  \
	5000 /* the same where sentinels can be asked for a better one: under half a lease; more for long records */
#define SWP_LIMIT_SENTINELS 16	   /* hosts of one sentinel:// URL; three or five are usual */
#define SWP_LIMIT_SENTINEL_MS 2000 /* one sentinel's answers, once it is connected: it does little else */

/* --- metrics --- */
#define SWP_LIMIT_METRIC_SERIES 1024	 /* of one metric: services × outcomes of the largest catalogue */
#define SWP_LIMIT_METRIC_SERVICES 100	 /* AWS services that a worker counts apart, each with ten outcomes */
#define SWP_LIMIT_METRIC_SWEEPS 128	 /* names of sweeps, each with at most six series a metric */
#define SWP_LIMIT_METRIC_LABEL_BYTES 255 /* one label value: an endpoint, a name */
#define SWP_LIMIT_METRICS_BYTES (8u << 20) /* one answer; a full worker's is under 100 KiB */
#define SWP_LIMIT_METRICS_CONNECTIONS                                                                        \
	16 /* of scrapers at once; one Prometheus needs one, further ones wait in the kernel's queue */
#define SWP_LIMIT_METRICS_CONNECTION_BYTES                                                                   \
	(16u << 10) /* memory for one request and the head of its answer: a scraper's is under 1 KiB */
#define SWP_LIMIT_METRICS_CONNECTION_MS                                                                      \
	10000 /* from connecting to the answer's last byte: Prometheus' own default deadline of a scrape */

/* --- catalogue --- */
#define SWP_LIMIT_CATALOGUE_BYTES (32u << 20)
#define SWP_LIMIT_CATALOGUE_ROWS 10000 /* services + operations + resources + checks + chains */
#define SWP_LIMIT_PREDICATE_DEPTH 32
#define SWP_LIMIT_PREDICATE_NODES                                                                            \
	20000			/* of one check, named predicates put in: they can double at each level */
#define SWP_LIMIT_STEPS 60	/* calls behind one resource: one bit each */
#define SWP_LIMIT_FAN_OUT 10000 /* calls that one resource's elements bring */
#define SWP_LIMIT_SHARED_DOCUMENTS                                                                           \
	1024 /* followed documents kept in a job for the next resource that follows them */
#define SWP_LIMIT_ARN_BYTES 2048	    /* IAM's own ceiling for an ARN */
#define SWP_LIMIT_FOLLOW_DEPTH 8	    /* steps behind a list call */
#define SWP_LIMIT_EVIDENCE_BYTES (8u << 10) /* of one result */

/* --- correlation --- */
#define SWP_LIMIT_CORRELATION_ROWS                                                                           \
	1000000 /* findings, facts and relations of one account, or of one partition of the organization */
#define SWP_LIMIT_CORRELATION_TEXT_BYTES                                                                     \
	(192u << 20)		       /* their texts, each kept once: a million ARNs of 192 bytes */
#define SWP_LIMIT_CHAIN_TUPLES 1000000 /* combinations of rows that one chain may build in one correlation */
#define SWP_LIMIT_CHAIN_WORK                                                                                 \
	100000000		/* comparisons of one chain with lists that were not read: some seconds */
#define SWP_LIMIT_CHAIN_LEGS 16 /* of one path, amplifiers included; the longest published chain has 5 */
#define SWP_LIMIT_CHAIN_VARIABLES 16
#define SWP_LIMIT_CHAIN_PATHS 8		/* alternative leg lists */
#define SWP_LIMIT_CHAIN_ALTERNATIVES 32 /* checks or facts that one leg accepts */
#define SWP_LIMIT_FIX_EXACT                                                                                  \
	16 /* candidates up to which the smallest set of fixes is searched exactly: 65,536 subsets */
#define SWP_LIMIT_FIX_TUPLES 4096 /* combinations up to which it is searched greedily */

#endif
