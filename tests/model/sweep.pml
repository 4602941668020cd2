/* Lease, commit and take-over: who may write what of a sweep into the store, when workers, coordinators and the store fail.
 * docs/model.md says what is left out, and which C function is which step. run.py gives the sizes, and takes the guards away
 * one by one (WITHOUT_EPOCH_CHECK and the like) to see that each is needed.
 *
 * A coordinator or worker that is slow or stopped needs no step of its own: its next step may come at any later time. */
#ifndef JOBS
#define JOBS 1
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef FAULTS /* of any kind but fail-overs: see `faults` */
#define FAULTS 2
#endif
#ifndef FAIL_OVERS
#define FAIL_OVERS 1
#endif
#ifndef LOST_WRITES /* that a fail-over loses at most */
#define LOST_WRITES 4
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 3
#endif

/* Milliseconds between two take-overs, against grants: an epoch counted from one term does not reach the next. */
#define TICK 8
#define MAXIMUM(a, b) ((a) > (b) -> (a) : (b))

/* --- the store: a primary, and a replica that has what the primary had at some time before --- */

typedef Job {
	unsigned epoch : 6;    /* e; 0: never granted */
	unsigned attempts : 3; /* a */
	unsigned part : 4;     /* p0: whose it is; 0: not there. The other part of a record comes along with the seal. */
	unsigned seal : 4;     /* s: whose */
	bit lost               /* l */
};
typedef Store {
	unsigned term : 3;
	bit finished;
	Job job[JOBS]
};
Store store[2];
bit primary;         /* the one that stays */
bit split;           /* after a fail-over: some are still connected to the old primary, which goes on taking their writes */
bit behind;          /* the replica has got the last thing that it will get */
unsigned late : 3;   /* writes that a primary still takes, and that the next one will not have */
unsigned clock : 3;  /* of all hosts; in ticks, of which a take-over takes one at least */

/* --- those at work --- */

/* a coordinator */
#define STANDBY 0
#define ASSERTING 1
#define LEADING 2
#define RECONCILING 3 /* all jobs looked at (next == JOBS): about to write the end */
#define OVER 4
/* a job in its mind */
#define UNREAD 0
#define OPEN 1
#define GRANTED 2
#define RUNNING 3
#define SEALED 4
#define LOST 5
/* a worker */
#define IDLE 0
#define WRITING 1
#define SEALING 2
#define TELLS_DONE 3   /* DONE is on its way */
#define TELLS_FAILED 4 /* stale, or parts were missing and the job is given back */

typedef Mind {
	unsigned state : 3;
	unsigned epoch : 6; /* granted last; of a sealed one: of the record that it counted */
	unsigned least : 6; /* that the next grant may have */
	unsigned attempts : 3
};
typedef Coordinator {
	unsigned role : 3;
	bit on; /* the store that it is connected to */
	unsigned term : 3;
	unsigned next : 2; /* job to be asserted or reconciled */
	Mind job[JOBS]
};
typedef Worker {
	unsigned state : 3;
	bit on;
	bit job;
	unsigned epoch : 6;
	bit owner;    /* the coordinator that it does the job for */
	bit known[2]; /* which of them has heard that it holds the job */
	unsigned mark : 4 /* of what it writes: nobody else's */
};
Coordinator coordinator[2];
Worker worker[WORKERS];

unsigned faults : 3 = FAULTS;
unsigned fail_overs : 2 = FAIL_OVERS;

hidden byte i, n; /* within one step */

#define IS_DOOMED(side) ((behind && (side) == primary) || (split && (side) != primary))
#define CAN_WRITE(side) (!IS_DOOMED(side) || late > 0)
#define WROTE(side) late = (IS_DOOMED(side) -> late - 1 : late)

/* --- what is to hold --- */

/* A deposed coordinator writes nothing. */
#define WRITES assert(STORED.term <= ME.term)
/* No late commit wins: the parts of a record are one writer's. What was given up has no record. */
#define RECORD_IS_WHOLE(row) assert(row.seal == 0 || (row.part == row.seal && !row.lost))

/* --- scripts: each is one step. ME, MINE, STORED, ROW: the coordinator, what it thinks of the job, its store, the job there --- */

#define ME coordinator[me]
#define MINE coordinator[me].job[j]
#define STORED store[coordinator[me].on]
#define ROW store[coordinator[me].on].job[j]

#ifdef WITHOUT_TERM_CHECK
#define FENCED true
#else
#define FENCED (STORED.term == ME.term)
#endif

inline forget()
{
	ME.role = STANDBY; ME.term = 0; ME.next = 0;
	for (i : 0 .. JOBS - 1) {
		ME.job[i].state = UNREAD; ME.job[i].epoch = 0; ME.job[i].least = 0; ME.job[i].attempts = 0
	}
	for (i : 0 .. WORKERS - 1) {
		worker[i].known[me] = 0
	}
	i = 0
}

/* The term in the store is not ours. Ours is asserted in a run before anything else, and no run loses what it took: we are deposed. */
inline refused()
{
	assert(STORED.term > ME.term);
	forget();
	printf("coordinator %d is refused: deposed\n", me)
}

inline take_over_script()
{
#ifdef TERM_WITHOUT_CLOCK
	ME.term = STORED.term + 1;
#else
	ME.term = MAXIMUM(STORED.term, clock) + 1;
#endif
	clock++;
	STORED.term = ME.term;
	WROTE(ME.on);
	printf("coordinator %d takes over in store %d: term %d\n", me, ME.on, ME.term)
}

#ifdef GRANT_WITHOUT_LOOK_AT_SEAL
#define CAN_GRANT(row) (!row.lost)
#else
#define CAN_GRANT(row) (row.seal == 0 && !row.lost)
#endif

inline grant_script()
{
	WRITES;
#ifndef GRANT_KEEPS_PARTS
	ROW.part = 0;
#endif
	ROW.epoch = MAXIMUM(ROW.epoch + 1, MINE.least);
	ROW.attempts++;
	WROTE(ME.on);
#ifdef EPOCHS_WITHIN_TERM
	assert(ROW.epoch < (ME.term + 1) * TICK);
#endif
	printf("coordinator %d, term %d: store %d, job %d: grants epoch %d\n", me, ME.term, ME.on, j, ROW.epoch);
	RECORD_IS_WHOLE(ROW)
}

#ifdef GIVE_UP_WITHOUT_LOOK_AT_SEAL
#define CAN_GIVE_UP(row) true
#else
#define CAN_GIVE_UP(row) (row.seal == 0)
#endif

inline give_up_script()
{
	WRITES;
	ROW.part = 0;
	ROW.lost = 1;
	WROTE(ME.on);
	printf("coordinator %d, term %d: store %d, job %d: given up\n", me, ME.term, ME.on, j);
	RECORD_IS_WHOLE(ROW)
}

/* The store may have lost an open grant, and may have parts of the one before. */
inline assert_script()
{
	if
	:: ROW.seal == 0 && !ROW.lost && ROW.epoch < MINE.epoch ->
		WRITES;
#ifndef ASSERT_KEEPS_PARTS
		ROW.part = 0;
#endif
		ROW.epoch = MINE.epoch;
		ROW.attempts = MAXIMUM(ROW.attempts, MINE.attempts);
		printf("coordinator %d, term %d: store %d, job %d: asserts epoch %d\n", me, ME.term, ME.on, j, ROW.epoch)
	:: else
	fi
}

/* A worker may write under the epoch that was granted last, and not what was given up. */
#ifdef WITHOUT_EPOCH_CHECK
#define STALE(row, holder) (row.lost)
#else
#ifdef COMMIT_TO_GIVEN_UP
#define STALE(row, holder) (row.epoch != holder.epoch)
#else
#define STALE(row, holder) (row.epoch != holder.epoch || row.lost)
#endif
#endif

/* --- a coordinator and one of its jobs --- */

inline count_sealed()
{
	MINE.state = SEALED; MINE.epoch = ROW.epoch; MINE.attempts = 0
}

inline count_lost()
{
	MINE.state = LOST; MINE.epoch = 0; MINE.attempts = 0
}

inline look_up()
{
	if
	:: ROW.seal != 0 -> count_sealed()
	:: ROW.seal == 0 && ROW.lost -> count_lost()
	:: else -> MINE.state = OPEN; MINE.attempts = MAXIMUM(MINE.attempts, ROW.attempts)
	fi
}

#define LEADS (ME.role == LEADING)
#define IS_IDLE(w) (worker[w].state == IDLE)
/* They are alike: it does not matter which of them is given a job. */
#define IS_FIRST_IDLE(w) (IS_IDLE(w) && ((w) < 1 || !IS_IDLE(0)) && ((w) < 2 || !IS_IDLE(1)))
#define HOLDS(w) (worker[w].job == j && (worker[w].state == WRITING || worker[w].state == SEALING))
#define TELLS(w) (worker[w].job == j && worker[w].owner == me && worker[w].state >= TELLS_DONE)

#define IS_MARKED(row) (row.part == n || row.seal == n)
#if JOBS > 1
#define IS_IN_STORE(side) (IS_MARKED(store[side].job[0]) || IS_MARKED(store[side].job[1]))
#else
#define IS_IN_STORE(side) IS_MARKED(store[side].job[0])
#endif
#if WORKERS > 2
#define IS_A_WORKERS (worker[0].mark == n || worker[1].mark == n || worker[2].mark == n)
#else
#define IS_A_WORKERS (worker[0].mark == n || worker[1].mark == n)
#endif
/* The least number that nobody uses: so that states do not differ by how many there were before. */
inline choose_mark(w)
{
	n = 1;
	do
	:: IS_IN_STORE(0) || IS_IN_STORE(1) || IS_A_WORKERS -> n++
	:: else -> break
	od;
	worker[w].mark = n;
	n = 0
}

inline send_job(w)
{
	choose_mark(w);
	worker[w].state = WRITING;
	worker[w].on = (split -> 1 - primary : primary);
	worker[w].job = j; worker[w].epoch = MINE.epoch; worker[w].owner = me; worker[w].known[me] = 1;
	MINE.state = RUNNING;
	printf("coordinator %d sends job %d, epoch %d to worker %d, which marks its writes %d\n", me, j, MINE.epoch, w, worker[w].mark)
}

/* A worker names a job that it holds from another coordinator's time. What its epoch is worth, the store says when it commits. One of
 * a later term tells that we are deposed: whoever went on from its epoch would grant what that other coordinator grants. */
#ifdef ADOPT_ANY_EPOCH
#define CAN_ADOPT(holder) true
#else
#define CAN_ADOPT(holder) (holder.epoch < ME.term * TICK)
#endif

inline adopt(w)
{
	worker[w].owner = me; worker[w].known[me] = 1;
	MINE.state = RUNNING; MINE.epoch = worker[w].epoch;
#ifdef ADOPTION_LOWERS_EPOCH
	MINE.least = worker[w].epoch + 1;
#else
	MINE.least = MAXIMUM(MINE.least, worker[w].epoch + 1);
#endif
	printf("coordinator %d adopts job %d, epoch %d\n", me, j, MINE.epoch)
}

inline rest(w)
{
	worker[w].state = IDLE; worker[w].on = 0; worker[w].job = 0; worker[w].epoch = 0; worker[w].owner = 0; worker[w].mark = 0;
	worker[w].known[0] = 0; worker[w].known[1] = 0
}

/* One that is late counts if nobody else was granted the job meanwhile. */
inline hear(w)
{
	if
	:: ME.role != STANDBY && MINE.epoch == worker[w].epoch && worker[w].state == TELLS_DONE &&
		(MINE.state == RUNNING || MINE.state == OPEN) -> MINE.state = SEALED; MINE.attempts = 0
	:: ME.role != STANDBY && MINE.epoch == worker[w].epoch && worker[w].state != TELLS_DONE && MINE.state == RUNNING ->
		look_up()
	:: else
	fi;
	rest(w)
}

/* One job after the other: is the record there that was counted, or that it was given up? */
inline reconcile()
{
	if
	:: ROW.seal != 0 && MINE.state == SEALED ->
#ifndef RECONCILE_LOOKS_FOR_ANY_SEAL
		MINE.epoch = ROW.epoch; /* perhaps another record than the one that was counted: then it is counted anew */
#endif
		ME.next++
	:: ROW.seal != 0 && MINE.state == LOST -> count_sealed(); ME.next++
	:: ROW.seal == 0 && ROW.lost -> count_lost(); ME.next++
#ifdef RECONCILE_SEALED_ONLY
	:: ROW.seal == 0 && !ROW.lost && MINE.state == LOST -> ME.next++
#endif
	:: else -> /* it is done again */
		printf("coordinator %d: job %d is done again\n", me, j);
		MINE.state = OPEN; MINE.attempts = ROW.attempts; MINE.epoch = 0;
#ifdef REDO_FORGETS_EPOCHS
		MINE.least = ME.term * TICK;
#endif
		ME.role = LEADING; ME.next = 0
	fi
}

#define IS_OUT(mind) (mind.state == GRANTED || mind.state == RUNNING)

inline assert_grant()
{
	if
	:: IS_OUT(MINE) && !FENCED -> refused()
#ifndef WITHOUT_ASSERTED_GRANTS
	:: IS_OUT(MINE) && FENCED -> assert_script(); ME.next++
#endif
	:: else -> ME.next++
	fi;
	if
	:: ME.role == ASSERTING && ME.next > JOBS -> ME.role = LEADING; ME.next = 0
	:: else
	fi
}

/* What a worker and the coordinator have to do with each other. */
#define WITH_WORKER(w) \
	:: d_step { LEADS && MINE.state == GRANTED && IS_FIRST_IDLE(w) -> send_job(w) } \
	:: d_step { LEADS && MINE.state == OPEN && HOLDS(w) && !worker[w].known[me] && CAN_ADOPT(worker[w]) -> adopt(w) } \
	:: d_step { TELLS(w) -> hear(w) }

proctype do_job(bit me; bit j)
{
end:	do
	:: d_step { LEADS && MINE.state == UNREAD -> look_up() }
	/* A grant that was on its way when the store failed over may come before all else is asserted. */
	:: atomic { (LEADS || (ME.role == ASSERTING && STORED.term == ME.term)) && MINE.state == OPEN && MINE.attempts < ATTEMPTS &&
		CAN_WRITE(ME.on) ->
		if
		:: !FENCED -> refused()
		:: FENCED && CAN_GRANT(ROW) ->
			grant_script();
			if
			:: MINE.state = GRANTED; MINE.epoch = ROW.epoch; MINE.least = ROW.epoch + 1; MINE.attempts = ROW.attempts
			:: faults > 0 -> faults--; printf("the answer is lost\n") /* asked for again */
			fi
		:: FENCED && !CAN_GRANT(ROW) && ROW.seal != 0 -> count_sealed()
		:: FENCED && !CAN_GRANT(ROW) && ROW.seal == 0 -> count_lost()
		fi }
	:: d_step { LEADS && MINE.state == OPEN && MINE.attempts >= ATTEMPTS && CAN_WRITE(ME.on) ->
		if
		:: !FENCED -> refused()
		:: FENCED && CAN_GIVE_UP(ROW) -> give_up_script(); count_lost()
		:: FENCED && !CAN_GIVE_UP(ROW) -> count_sealed()
		fi }
	:: d_step { LEADS && MINE.state == RUNNING ->
		printf("coordinator %d: the lease of job %d runs out\n", me, j);
#ifdef WITHOUT_LOOK_UP
		MINE.state = OPEN
#else
		look_up()
#endif
		}
	:: d_step { ME.role == RECONCILING && ME.next == j -> reconcile() }
	:: d_step { ME.role == ASSERTING && ME.next == j + 1 && ME.on == primary -> assert_grant() }
	WITH_WORKER(0)
	WITH_WORKER(1)
#if WORKERS > 2
	WITH_WORKER(2)
#endif
	od
}

/* --- a coordinator and the sweep --- */

inline begin_to_lead()
{
	take_over_script();
	ME.role = LEADING;
	for (i : 0 .. JOBS - 1) {
#ifdef EPOCH_FROM_STORE_ALONE
		ME.job[i].least = 1
#else
		ME.job[i].least = ME.term * TICK
#endif
	}
	i = 0
}

#define IS_SETTLED(mind) (mind.state == SEALED || mind.state == LOST)
#if JOBS > 1
#define ALL_SETTLED (IS_SETTLED(ME.job[0]) && IS_SETTLED(ME.job[1]))
#else
#define ALL_SETTLED IS_SETTLED(ME.job[0])
#endif

/* No sealed job is lost for good: what is told as finished has, for each job, the record that was counted or the word that it
 * was given up. */
inline finish_script()
{
	WRITES;
	for (i : 0 .. JOBS - 1) {
		RECORD_IS_WHOLE(STORED.job[i]);
		assert(ME.job[i].state != SEALED || (STORED.job[i].seal != 0 && STORED.job[i].epoch == ME.job[i].epoch));
		assert(ME.job[i].state != LOST || STORED.job[i].lost)
	}
	STORED.finished = 1;
	WROTE(ME.on);
	ME.role = OVER;
	ME.next = 0;
	printf("coordinator %d, term %d: store %d: finished\n", me, ME.term, ME.on)
}

/* Its store is another run than before: what the old one took after some time is gone. */
inline find_another_run()
{
	ME.on = primary;
	printf("coordinator %d finds another run: store %d\n", me, primary);
	if
	:: ME.role == STANDBY
#ifdef FINISH_IN_ANY_RUN
	:: ME.role == RECONCILING && ME.next == JOBS /* the write that was on its way is sent again */
	:: ME.role != STANDBY && !(ME.role == RECONCILING && ME.next == JOBS) -> ME.role = ASSERTING; ME.next = 0
#else
	:: else -> ME.role = ASSERTING; ME.next = 0
#endif
	fi
}

inline assert_term()
{
	if
	:: STORED.term > ME.term -> forget(); printf("coordinator %d is deposed\n", me)
	:: else -> STORED.term = ME.term; ME.next = 1; printf("coordinator %d asserts term %d\n", me, ME.term)
	fi
}

proctype lead(bit me)
{
end:	do
	/* Nobody leads; or the one that does is thought to be gone. */
	:: d_step { ME.role == STANDBY && (me == 0 || clock > 0) && !STORED.finished && CAN_WRITE(ME.on) &&
		coordinator[1 - me].role == STANDBY ->
		begin_to_lead() }
	:: d_step { ME.role == STANDBY && clock > 0 && faults > 0 && CAN_WRITE(ME.on) && coordinator[1 - me].role != STANDBY ->
		faults--; begin_to_lead() }
	/* Killed; it starts again as one that knows nothing. */
	:: d_step { ME.role != STANDBY && faults > 0 -> faults--; forget(); printf("coordinator %d is killed\n", me) }

	/* The end. */
	:: d_step { LEADS && ALL_SETTLED ->
		ME.role = RECONCILING;
#ifdef WITHOUT_RECONCILIATION
		ME.next = JOBS
#endif
		}
	:: d_step { ME.role == RECONCILING && ME.next == JOBS && CAN_WRITE(ME.on) ->
		if
		:: FENCED -> finish_script()
		:: else -> refused()
		fi }

	:: d_step { ME.on != primary -> find_another_run() }
	:: d_step { ME.role == ASSERTING && ME.next == 0 && ME.on == primary -> assert_term() }
	od
}

/* --- a worker --- */

#define US worker[w]
#define KEPT store[worker[w].on].job[worker[w].job]

inline tell(what)
{
	US.state = what; US.on = 0; US.mark = 0
}

proctype work(byte w)
{
end:	do
	:: d_step { US.state == WRITING && CAN_WRITE(US.on) ->
		if
		:: STALE(KEPT, US) -> tell(TELLS_FAILED)
		:: !STALE(KEPT, US) && KEPT.seal != 0 -> US.state = SEALING
		:: else ->
			printf("mark %d, epoch %d: store %d: a part\n", US.mark, US.epoch, US.on);
			KEPT.part = US.mark; US.state = SEALING;
			WROTE(US.on)
		fi }
	:: atomic { US.state == SEALING && CAN_WRITE(US.on) ->
		if
		:: STALE(KEPT, US) -> tell(TELLS_FAILED)
		:: !STALE(KEPT, US) && KEPT.seal != 0 -> tell(TELLS_DONE)
		:: !STALE(KEPT, US) && KEPT.seal == 0 && KEPT.part == 0 -> tell(TELLS_FAILED)
		:: else ->
			printf("mark %d, epoch %d: store %d: the seal\n", US.mark, US.epoch, US.on);
			KEPT.seal = US.mark;
			WROTE(US.on);
			RECORD_IS_WHOLE(KEPT);
			if
			:: tell(TELLS_DONE)
			:: faults > 0 -> faults--; printf("the answer is lost\n") /* asked for again */
			fi
		fi }
	:: d_step { (US.state == WRITING || US.state == SEALING) && US.on != primary -> US.on = primary }
	/* Killed; or the JOB, or what it tells, does not arrive. */
	:: d_step { US.state != IDLE && faults > 0 -> faults--; rest(w); printf("worker %d is gone\n", w) }
	od
}

/* --- the store fails over --- */

#define HAS_LEFT_OLD(w) (worker[w].state != WRITING && worker[w].state != SEALING || worker[w].on == primary)
#if WORKERS > 2
#define ALL_HAVE_LEFT_OLD (HAS_LEFT_OLD(0) && HAS_LEFT_OLD(1) && HAS_LEFT_OLD(2))
#else
#define ALL_HAVE_LEFT_OLD (HAS_LEFT_OLD(0) && HAS_LEFT_OLD(1))
#endif

proctype fail_over()
{
end:	do
	/* The last that the replica gets: all that the primary had so far. */
	:: d_step { fail_overs > 0 && !behind && !split && clock > 0 ->
		store[1 - primary].term = store[primary].term;
		store[1 - primary].finished = store[primary].finished;
		for (i : 0 .. JOBS - 1) {
			store[1 - primary].job[i].epoch = store[primary].job[i].epoch;
			store[1 - primary].job[i].attempts = store[primary].job[i].attempts;
			store[1 - primary].job[i].part = store[primary].job[i].part;
			store[1 - primary].job[i].seal = store[primary].job[i].seal;
			store[1 - primary].job[i].lost = store[primary].job[i].lost
		}
		behind = 1; late = LOST_WRITES;
		printf("the replica gets nothing more\n") }
	:: d_step { behind -> fail_overs--; primary = 1 - primary; behind = 0; split = 1;
		printf("fail-over: store %d is the primary\n", primary) }
	/* Nobody is connected to the old primary any more: what only it had is gone. */
	:: d_step { split && coordinator[0].on == primary && coordinator[1].on == primary && ALL_HAVE_LEFT_OLD ->
		split = 0; late = 0;
		store[1 - primary].term = 0; store[1 - primary].finished = 0;
		for (i : 0 .. JOBS - 1) {
			store[1 - primary].job[i].epoch = 0; store[1 - primary].job[i].attempts = 0;
			store[1 - primary].job[i].part = 0; store[1 - primary].job[i].seal = 0; store[1 - primary].job[i].lost = 0
		}
		i = 0 }
	od
}

/* A sweep ends: whatever happened, when nothing more can be done it is finished, in the store that stays. (run.py looks for
 * cycles, too: there are none, so that this is always reached.) */
proctype watch()
{
	timeout ->
	d_step {
		assert(store[primary].finished);
		for (i : 0 .. JOBS - 1) {
			RECORD_IS_WHOLE(store[primary].job[i]);
			assert(store[primary].job[i].seal != 0 || store[primary].job[i].lost)
		}
		i = 0
	}
}

init {
	atomic {
		run do_job(0, 0);
		run do_job(1, 0);
#if JOBS > 1
		run do_job(0, 1);
		run do_job(1, 1);
#endif
		run lead(0);
		run lead(1);
		run work(0);
		run work(1);
#if WORKERS > 2
		run work(2);
#endif
		run fail_over();
		run watch()
	}
}
