"""What can go wrong, one row each, and a random plan of it. A plan is a list of (second, verb, arguments); the verbs are World.do_…"""
import dataclasses
import random
from typing import Callable

from world import WORKERS

LEASE, OWNER_LEASE = 15, 10  # seconds: of a worker's jobs, of a coordinator's sweep (proto/base/limits.h, coordinator/ledger.h)
NO_REASONS = frozenset()


@dataclasses.dataclass(frozen=True)
class Fault:
    kind: str  # whose: worker, coordinator, redis, disk, link, aws, clock, all
    name: str  # two of one kind differ in it
    steps: Callable  # (random, brief) → [(second after its begin, verb, arguments …)]; brief: well within each lease
    losses: Callable = lambda steps: 0  # leases of a job that this may cost: three make it worker-lost, which is as it should be
    reasons: frozenset = NO_REASONS  # of cells that were not read; none: nothing may differ
    forgets: bool = False  # what Redis has acknowledged may be gone
    needs: frozenset = frozenset()  # World.NEEDS
    slow: tuple = ()  # (name, fault of AWS): from the start of the sweep on, so that what is to be hit lasts; the steps heal it
    within: float = None  # seconds from the start; else about as long as a sweep


def short(dice, brief=True):
    return dice.uniform(0.3, 4)


def long(dice):
    return dice.uniform(LEASE + 1, LEASE + 4)


def while_(dice, brief):
    """Mostly for a moment, sometimes past every lease."""
    return short(dice) if brief or dice.random() < 0.6 else long(dice)


def lasts(begin, end, subject=lambda dice: (), how_long=while_):
    """Steps of something that begins and ends."""
    def steps(dice, brief):
        who = subject(dice)
        return [(0, begin, *who), (how_long(dice, brief), end, *who)]
    return steps


def one_loss(steps):
    return 1


def loss_if_long(steps):
    return int(steps[-1][0] > LEASE - 3)


def loss_if_half(steps):
    """A coordinator that was silent may have been given up meanwhile, and its jobs granted anew where workers did not follow."""
    return int(steps[-1][0] > OWNER_LEASE - 3)


def worker(dice):
    return (dice.choice(WORKERS),)


def coordinator(dice):
    return (dice.choices(("leading", "other"), (4, 1))[0],)


def moment(dice, brief):
    return dice.choice((0, 0.2, 1, 3))


def stop_coordinator(dice, brief):
    seconds = while_(dice, brief)
    steps = [(0, "stop-coordinator", *coordinator(dice)), (seconds, "continue-coordinators")]
    if seconds > OWNER_LEASE and dice.random() < 0.8:
        steps.insert(1, (dice.uniform(0.2, 4), "take-over"))
    return steps


def link(pattern, modes, needs_take_over=False):
    """One link, or all that match at once."""
    def steps(dice, brief):
        name = pattern.format(worker=dice.choice(WORKERS), coordinator=dice.choice((0, 0, 1)))
        seconds, mode = while_(dice, brief), dice.choice(modes)
        steps = [(0, "link", name, mode), (seconds, "link", name, "open")]
        if needs_take_over and seconds > OWNER_LEASE and dice.random() < 0.5:
            steps.insert(1, (dice.uniform(0.2, 4), "take-over"))
        return steps
    return steps


def flap(pattern):
    def steps(dice, brief):
        name = pattern.format(worker=dice.choice(WORKERS), coordinator=dice.choice((0, 0, 1)))
        return [(0.5 * i, "link", name, ("cut", "open")[i % 2]) for i in range(2 * dice.randint(2, 5))]
    return steps


def killed_while(phase, slow):
    def steps(dice, brief):
        return [(0, "kill-coordinator-while", phase, dice.uniform(0, 1.5)), (0.1 + moment(dice, brief), "start-coordinators"), (dice.uniform(4, 8), "aws-heals", slow)]
    return steps


BROKEN = ("cut", "silent", "deaf")
LOSSY = ("lossy", "very lossy")
TARGETS = ("operation=sagemaker:List*", "operation=bedrock:*", "operation=sagemaker:*,probability=0.3", "operation=*edrock*:*,probability=0.5",
           "operation=sagemaker:ListEndpoints", "operation=sagemaker:*,times=5", "operation=*,times=3")


def aws(kind, targets=TARGETS):
    """`operation=*` reaches the coordinator's own calls too, for a few times only: those are tried again."""
    def steps(dice, brief):
        number, text = dice.randrange(1 << 30), f"{dice.choice(targets)},kind={kind}"
        return [(0, "aws", number, text), (dice.uniform(0.5, 6), "aws-heals", number)]
    return steps


def clock(dice, brief):
    return [(0, "clock", dice.choice((-1200, -600, -240, 240, 600, 1200))), (dice.uniform(0.5, 6), "clock", 0)]


STEPS = (-86400, -3600, -60, -12, 12, 60, 3600, 86400)


def clock_of_redis(dice, brief):
    """To and fro; and at last back, or it stays."""
    at, steps = 0, []
    for _ in range(1 if brief else dice.randint(1, 4)):
        steps.append((at, "clock-of-redis", dice.choice(STEPS)))
        at += short(dice)
    return steps + ([(at, "clock-of-redis", 0)] if dice.random() < 0.6 else [])


def clock_of_redis_and_stop(dice, brief):
    """Who is stopped is not known to be gone: its lease is waited for, and lasts for as long as the step by that clock."""
    seconds = short(dice) if brief else long(dice)
    return [(0, "stop-coordinator", "leading"), (dice.uniform(0, 3), "clock-of-redis", dice.choice(STEPS[:4])), (0.5, "take-over"),
            (seconds, "continue-coordinators")]


def clock_of_one(dice, brief):
    who = dice.choice(("coordinator-0", "coordinator-1", *(f"worker-{name}" for name in WORKERS)))
    return [(0, "clock-of", who, dice.choice((-1200, -240, -20, 20, 240, 1200))), (while_(dice, brief), "clock-of", who, 0)]


ONCE = ("operation=sagemaker:*,times=1", "operation=bedrock:*,times=1")
AGAIN = frozenset({"throttled", "service-unavailable", "timeout"})  # a call that fails now and then may end with either
TWO_HOPS, CLOCK_OF_REDIS = frozenset({"two hops"}), frozenset({"clock of Redis"})
FAULTS = (
    Fault("worker", "killed, started again", lasts("kill-worker", "start-worker", worker, moment), one_loss),
    Fault("worker", "crashed (SIGABRT), started again", lasts("crash-worker", "start-worker", worker, moment), one_loss),
    Fault("worker", "stopped", lasts("stop-worker", "continue-worker", worker), loss_if_long),
    Fault("worker", "told to end, started again", lasts("drain-worker", "start-worker", worker, lambda dice, brief: dice.uniform(1, 6))),
    Fault("coordinator", "killed, started again", lasts("kill-coordinator", "start-coordinators", coordinator, moment)),
    Fault("coordinator", "crashed (SIGABRT), started again", lasts("crash-coordinator", "start-coordinators", coordinator, moment)),
    Fault("coordinator", "killed while accounts are listed, started again", killed_while("accounts are listed", "listing"), within=3,
          needs=frozenset({"small pages"}), slow=("listing", "operation=organizations:ListAccounts,kind=slow:1200")),
    Fault("coordinator", "killed while roles are assumed, started again", killed_while("roles are assumed", "roles"), within=2,
          slow=("roles", "operation=sts:AssumeRole,kind=slow:2000")),
    Fault("coordinator", "told to end, started again", lasts("end-coordinator", "start-coordinators", coordinator, moment)),
    Fault("coordinator", "stopped", stop_coordinator, loss_if_half),
    Fault("redis", "killed, started again", lasts("kill-redis", "start-redis", how_long=short), forgets=True),
    Fault("redis", "stopped", lasts("stop-redis", "continue-redis")),
    Fault("disk", "Redis has no room to write", lasts("fill-disk", "empty-disk", how_long=short), forgets=True, needs=frozenset({"disk"})),
    Fault("link", "worker-Redis broken", link("worker-{worker}-redis", BROKEN)),
    Fault("link", "coordinator-Redis broken", link("coordinator-{coordinator}-redis", BROKEN, True), loss_if_half),
    Fault("link", "worker-coordinator broken", link("worker-{worker}-coordinator-{coordinator}", BROKEN), loss_if_long),
    Fault("link", "worker-Redis slow", link("worker-{worker}-redis", ("slow",))),
    Fault("link", "coordinator-Redis slow", link("coordinator-{coordinator}-redis", ("slow",))),
    Fault("link", "worker-coordinator slow", link("worker-{worker}-coordinator-{coordinator}", ("slow",))),
    Fault("link", "worker-Redis comes and goes", flap("worker-{worker}-redis")),
    Fault("link", "coordinator-Redis comes and goes", flap("coordinator-{coordinator}-redis")),
    Fault("link", "worker-coordinator comes and goes", flap("worker-{worker}-coordinator-{coordinator}")),
    Fault("link", "worker-Redis loses packets", link("worker-{worker}-redis", LOSSY), needs=TWO_HOPS),
    Fault("link", "coordinator-Redis loses packets", link("coordinator-{coordinator}-redis", LOSSY, True), loss_if_half, needs=TWO_HOPS),
    Fault("link", "worker-coordinator loses packets", link("worker-{worker}-coordinator-{coordinator}", LOSSY), loss_if_long),
    Fault("aws", "throttles", aws("throttle"), reasons=AGAIN),
    Fault("aws", "fails with 500", aws("server-error:500"), reasons=AGAIN),
    Fault("aws", "fails with 503", aws("server-error:503"), reasons=AGAIN),
    Fault("aws", "resets connections", aws("reset"), reasons=AGAIN),
    Fault("aws", "closes connections", aws("close-before-answer"), reasons=AGAIN),
    Fault("aws", "truncates answers", aws("truncated", ONCE), reasons=frozenset({"malformed-response"})),
    Fault("aws", "cuts bodies", aws("cut-body", ONCE), reasons=frozenset({"malformed-response"})),
    Fault("aws", "says that tokens have expired", aws("expired-token", ("operation=sagemaker:*,times=2", "operation=bedrock:*,times=2")),
          reasons=frozenset({"credentials-expired"})),
    Fault("aws", "is slow", aws("slow:2500", ("operation=sagemaker:List*", "operation=bedrock:*", "operation=sts:*", "operation=*,times=20"))),
    Fault("aws", "hangs", aws("hang", ONCE), reasons=frozenset({"timeout"})),
    Fault("clock", "of AWS and ours differ", clock),
    Fault("clock", "of one process jumps and jumps back", clock_of_one, needs=frozenset({"clocks"})),
    Fault("clock", "of Redis steps", clock_of_redis, one_loss, needs=CLOCK_OF_REDIS),
    Fault("clock", "of Redis steps back while a coordinator is stopped", clock_of_redis_and_stop, one_loss, needs=CLOCK_OF_REDIS),
    Fault("all", "power cut", lasts("cut-power", "restore-power", how_long=moment), one_loss, forgets=True),
    Fault("all", "every link broken at once", lambda dice, brief: [(0, "all-links", dice.choice(BROKEN)), (while_(dice, brief), "all-links", "open")],
          loss_if_half),
)
KINDS = tuple(dict.fromkeys(fault.kind for fault in FAULTS))
MOST_LOSSES = 2


@dataclasses.dataclass
class Plan:
    seed: int
    form: str
    slow_ms: int
    faults: list
    steps: list  # (second, verb, arguments …), by time

    @property
    def reasons(self):
        return frozenset().union(*(fault.reasons for fault in self.faults))

    @property
    def may_forget(self):
        """A Redis that is killed while its disk is busy loses what it has acknowledged in the last two seconds (appendfsync everysec)."""
        return any(fault.forgets for fault in self.faults)

    @property
    def needs(self):
        return frozenset().union(*(fault.needs for fault in self.faults))

    @property
    def slow(self):
        return dict(fault.slow for fault in self.faults if fault.slow)

    def text(self):
        lines = [f"seed {self.seed}: {self.form}, descriptions of {self.slow_ms} ms; " + "; ".join(f"{f.kind}: {f.name}" for f in self.faults)]
        return "\n".join(lines + [f"  {step[0]:6.2f} s  {' '.join(map(str, step[1:]))}" for step in self.steps])


def make_plan(seed, only=None, brief=False):
    """`only`: faults of that kind, or whose kind and name hold that text. The same arguments give the same plan."""
    dice = random.Random(seed)
    slow_ms = dice.choice((1500, 3000) if brief else (500, 1000, 2000, 4000))
    form = dice.choice(("sweep", "serve"))
    span = 1 + 1.5 * slow_ms / 1000  # within which faults begin: about as long as a sweep
    may = [fault for fault in FAULTS if not only or only in (fault.kind, f"{fault.kind}: {fault.name}")]
    assert may, f"no fault is called {only}; kinds are {', '.join(KINDS)}"
    faults, steps, losses = [], [], 0
    for _ in range(dice.choice((1, 1, 2) if brief else (1, 2, 3, 4, 5, 6))):
        fault = dice.choice(may)
        begin = dice.uniform(0, fault.within or span)
        if fault.name == "hangs" and (brief or dice.random() < 0.7):
            continue  # a minute of waiting each
        own = fault.steps(dice, brief)
        if losses + fault.losses(own) > MOST_LOSSES:
            continue
        losses += fault.losses(own)
        faults.append(fault)
        steps += [(begin + step[0], *step[1:]) for step in own]
    if not faults:
        return make_plan(seed + (1 << 32), only, brief)
    return Plan(seed % (1 << 32), form, slow_ms, faults, sorted(steps, key=lambda step: step[0]))
