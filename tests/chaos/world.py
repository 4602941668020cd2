"""One run's world: a simulated organization, a Redis, two coordinators, two workers, a link between each two of them; and what can be done to it."""
import contextlib
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sweeps"))

from common import ORGSWEEP, SIMULATOR, Simulator, orgsweep, wait_for  # noqa: E402
from fleet import Fleet  # noqa: E402
from links import Links, Link  # noqa: E402
from peers import Redis, SmallDisk, StoreClock, free_port  # noqa: E402
from running import SIZE  # noqa: E402

PASSWORD = "marker-of-the-store-password-of-chaos"
WORKERS = ("one", "two")
NAME = "nightly"
EVERY, EVERY_MS = "2h", 7200000  # longer than any clock is set ahead: no second sweep begins
FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
LOG = {"ORGSWEEP_LOG_LEVEL": "info"}
# Of every job: its key, epoch, attempts, parts that the seal names (-1: no seal), how many of these are there, parts at all, when it was sealed.
JOBS = """local all = {}
for _, key in ipairs(redis.call('KEYS', '*:job:*')) do
  local job = redis.call('HMGET', key, 'e', 'a', 's', 't')
  local named, there, parts = -1, 0, 0
  if job[3] then
    named = cmsgpack.unpack(job[3])[2]
    for i = 0, named - 1 do there = there + redis.call('HEXISTS', key, 'p' .. i) end
  end
  for _, field in ipairs(redis.call('HKEYS', key)) do if string.match(field, '^p%d+$') then parts = parts + 1 end end
  all[#all + 1] = table.concat({key, job[1] or '-', job[2] or '-', named, there, parts, job[4] or '-'}, ' ')
end
return all"""


# How many accounts have a row, which is written when it is known that there is nothing to do there, or which regions there are. That the list of
# accounts is whole is written when it is; so the sweep is in a phase as long as these are what the store says.
ACCOUNTS = 10
PHASES = {"accounts are listed": lambda listed, rows: not listed and 0 < rows < ACCOUNTS,
          "roles are assumed": lambda listed, rows: listed and rows < ACCOUNTS}
PHASE_SECONDS = 5  # other steps wait meanwhile: with what one of these lasts, less than every lease


class Coordinator:
    """One of the two places where a coordinator runs, again and again."""

    def __init__(self, number):
        self.number, self.process, self.starts, self.stopped, self.report = number, None, 0, False, None
        self.killed = self.resumed = False

    def lives(self):
        return self.process is not None and self.process.poll() is None

    def has_reported(self):
        """A one-off sweep that has come to its end."""
        return self.report and self.process and self.process.poll() in (0, 1, 3, 4) and self.report.exists()


@functools.cache
def organization_faults():
    printed = subprocess.run([str(SIMULATOR), *map(str, SIZE), "--print-organization"], capture_output=True, check=True).stdout
    return json.loads(printed)["faults"]


class World(Fleet):
    """`needs`: what it has that is not free, see NEEDS. `slow`: name → a fault of AWS that is there from the start, until it heals."""

    NEEDS = {
        "disk": "Redis has a small one of its own",
        "clocks": "each of our processes has a clock of its own, which can be set",
        "clock of Redis": "so has Redis",
        "two hops": "links to Redis are TCP all the way but for the last step, so that packets can be lost in both directions",
        "small pages": "AWS lists three at a time",
    }

    def __init__(self, place, form, slow_ms, needs=frozenset(), slow={}):
        assert needs <= set(self.NEEDS), needs
        pages = ("--page-size", 3) if "small pages" in needs else ()
        faults = [*slow.values(), f"operation=sagemaker:Describe*,kind=slow:{slow_ms}"]
        simulator = Simulator(place, *SIZE, "--latency-ms", 20, *pages, *(word for fault in faults for word in ("--fault", fault)))
        self.needs, self.disk = needs, SmallDisk(place.path / "small", "6m") if "disk" in needs else None
        self.store_clock = StoreClock(place) if "clock of Redis" in needs else None
        self.place, self.simulator, self.clocks = place, simulator, "clocks" in needs and FAKETIME is not None
        super().__init__(place, simulator, 2, self.make_redis())
        self.slowness = {"operation": "sagemaker:Describe*", "kind": f"slow:{slow_ms}"}
        self.form, self.began = form, time.monotonic()
        self.known, self.started, self.may_end = False, {}, set()
        self.reports, self.told, self.aws, self.peaks = place.path / "reports", [], dict(slow), {}
        self.landed = {}  # phase → how often a coordinator was killed in it
        self.reports.mkdir()
        self.connect()
        self.coordinators = [Coordinator(0), Coordinator(1)]
        self.workers = dict.fromkeys(WORKERS)
        self.unexpected = []

    # --- how they reach each other ---

    def make_redis(self):
        return Redis(self.place, folder=self.disk.folder if self.disk else None, password=PASSWORD,
                     prefix=self.store_clock.prefix if self.store_clock else ())

    def connect(self):
        self.links = Links()
        target = Link(self.links, self.redis.socket).port if "two hops" in self.needs else self.redis.socket
        self.link = {f"worker-{name}-redis": Link(self.links, target) for name in WORKERS}
        self.link |= {f"coordinator-{number}-redis": Link(self.links, target) for number in (0, 1)}
        self.link |= {f"worker-{name}-coordinator-{number}": Link(self.links, 1) for name in WORKERS for number in (0, 1)}

    def prefix(self, who):
        """What starts a program of that host."""
        if not self.clocks:
            return []
        file = self.place.path / f"clock-{who}"
        if not file.exists():
            file.write_text("+0")
        return ["env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME_TIMESTAMP_FILE={file}", "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                "DONT_FAKE_MONOTONIC=1"]

    def store_of(self, who):
        return f"redis://127.0.0.1:{self.link[f'{who}-redis'].port}"

    def endpoints_of(self, worker):
        return [f"tcp://127.0.0.1:{self.link[f'worker-{worker}-coordinator-{number}'].port}" for number in (0, 1)]

    def listen_of(self, number):
        """Where it listens: elsewhere each time, as others on this machine may have taken the old port meanwhile."""
        port = free_port()
        for name in WORKERS:
            self.link[f"worker-{name}-coordinator-{number}"].target = port
        return f"tcp://127.0.0.1:{port}"

    def tell(self, what):
        self.told.append(f"{time.monotonic() - self.began:7.2f} s  {what}")

    # --- starting ---

    def start_worker(self, name):
        if self.workers[name] is None or self.workers[name].poll() is not None:
            folder = self.place.path / f"cwd-{name}"
            folder.mkdir(exist_ok=True)
            who = f"worker-{name}"
            self.started[who] = time.monotonic()
            self.may_end.discard(name)
            self.workers[name] = self.worker(name, self.store_of(who), self.endpoints_of(name), {"cwd": folder}, self.prefix(who),
                                             ORGSWEEP_STORE_PASSWORD=PASSWORD, **LOG)

    def start_coordinator(self, number):
        slot = self.coordinators[number]
        if slot.lives():
            return
        slot.starts, slot.killed, slot.stopped = slot.starts + 1, False, False
        self.started[f"coordinator-{number}"] = time.monotonic()
        who = f"coordinator-{number}"
        common = {"listen": self.listen_of(number), "keys": self.keys, "workers": 0, "store": self.store_of(who)}
        arguments = self.service(slot, common) if self.form == "serve" else self.one_off(slot, common)
        folder = self.place.path / f"cwd-{number}"
        folder.mkdir(exist_ok=True)
        with open(self.place.path / f"coordinator-{number}.log", "a") as log:
            log.write(f"--- start {slot.starts} at {time.monotonic() - self.began:.2f} s\n")
            log.flush()
            slot.process = subprocess.Popen([*self.prefix(who), str(ORGSWEEP), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=log, cwd=folder,
                                            env=self.simulator.environment(XDG_STATE_HOME=self.place.path / f"state-{number}",
                                                                           ORGSWEEP_STORE_PASSWORD=PASSWORD, **LOG))
        self.place.children.append(slot.process)

    def service(self, slot, common):
        file = self.place.path / f"serve-{slot.number}.yaml"
        file.write_text("".join(f"{name}: {value}\n" for name, value in common.items()) +
                        f"reports: {self.reports}\nall: true\nsweeps:\n  {NAME}: {{every: {EVERY}}}\n")
        return ["serve", "--config", file]

    def one_off(self, slot, common):
        slot.report = self.reports / f"{slot.number}-{slot.starts}.json"
        slot.resumed = self.known
        return ["sweep", "--all", "--quiet", "--output", slot.report, *[word for name, value in common.items() for word in (f"--{name}", value)],
                *(["--resume", "latest"] if slot.resumed else [])]

    def start(self):
        """Everything, until the sweep is there."""
        if self.form == "serve":  # as if it had been configured two hours ago: it is due in a moment
            row = {"since": int(time.time() * 1000) - EVERY_MS + 1500, "last": -1, "text": f"|{EVERY}|"}
            self.redis.ask("HSET", "swp:schedules", NAME, json.dumps(row))
        self.start_coordinator(0)
        if self.form == "serve":
            self.start_coordinator(1)
        for name in WORKERS:
            self.start_worker(name)
        wait_for(self.sweep_id, 60, "the sweep is in the store")
        self.known = True
        self.began = time.monotonic()

    def is_new(self, who):
        """It may not have come to the point yet where it minds a signal."""
        return time.monotonic() - self.started[who] < 5

    # --- looking ---

    def peek(self, *words):
        """What Redis says, or None while it can't say anything."""
        try:
            return self.redis.ask(*words, timeout=2).decode()
        except (subprocess.SubprocessError, OSError):
            return None

    def sweep_id(self):
        ids = (self.peek("ZRANGE", "swp:index", 0, -1) or "").split()
        return ids[-1] if ids else None

    def row(self):
        words = (self.peek("HGETALL", f"swp:{self.sweep_id()}:sweep") or "").split("\n")
        return dict(zip(words[::2], words[1::2]))

    def jobs(self):
        """ACCOUNT:REGION → (epoch, attempts, parts named, parts there, parts at all, sealed at); None while Redis can't be asked."""
        text = self.peek("EVAL", JOBS, 0)
        if text is None:
            return None
        rows = [line.split() for line in text.splitlines() if line]
        return {row[0].split(":job:")[1]: tuple(row[1:]) for row in rows}

    def leading_surely(self):
        """The slot that leads (or, of one-off sweeps, owns the sweep), as Redis says; None while that is not known."""
        owner = (self.peek("HGET", "swp:leader", "owner") if self.form == "serve" else self.row().get("owner")) or ""
        pid = owner.split("/")[1] if owner.count("/") == 3 else ""
        for slot in self.coordinators:
            if slot.lives() and str(slot.process.pid) == pid:
                return slot
        return None

    def leading(self):
        """The same, else one that lives, else the first."""
        return self.leading_surely() or next((slot for slot in self.coordinators if slot.lives()), self.coordinators[0])

    def slot(self, which):
        leader = self.leading()
        return {"leading": leader, "other": self.coordinators[1 - leader.number]}[which]

    def sample(self):
        """Peaks of memory (VmHWM, KiB) so far."""
        processes = {f"coordinator-{slot.number}": slot.process for slot in self.coordinators} | {f"worker-{n}": p for n, p in self.workers.items()}
        for who, process in processes.items():
            with contextlib.suppress(OSError, AttributeError, StopIteration):
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
                peak = int(next(line for line in status if line.startswith("VmHWM:")).split()[1])
                self.peaks[who] = max(self.peaks.get(who, 0), peak)

    # --- what is done to it: each may be done at any time, and twice ---

    def do(self, verb, *arguments):
        done = getattr(self, "do_" + verb.replace("-", "_"))(*arguments)
        self.tell(" ".join([verb, *map(str, arguments)]) + (f" ({done})" if done else ""))

    def do_kill_worker(self, name, number=signal.SIGKILL):
        if self.workers[name] and self.workers[name].poll() is None:
            self.may_end.add(name)
            self.workers[name].send_signal(number)
            self.workers[name].send_signal(signal.SIGCONT)
            self.workers[name].wait(40)

    def do_crash_worker(self, name):
        self.do_kill_worker(name, signal.SIGABRT)

    def do_drain_worker(self, name):
        if self.workers[name] and self.workers[name].poll() is None:
            self.may_end.add(name)
            self.workers[name].terminate()

    def do_start_worker(self, name):
        if self.workers[name].poll() is None:
            return "it still runs"
        self.start_worker(name)

    def do_stop_worker(self, name):
        self.workers[name].send_signal(signal.SIGSTOP)

    def do_continue_worker(self, name):
        self.workers[name].send_signal(signal.SIGCONT)

    def do_kill_coordinator(self, which, number=signal.SIGKILL):
        return self.kill_coordinator(self.slot(which), number)

    def kill_coordinator(self, slot, number=signal.SIGKILL):
        if not slot.lives():
            return f"{slot.number} does not run"
        slot.process.send_signal(number)
        slot.process.send_signal(signal.SIGCONT)  # it may be stopped: then nothing but SIGKILL would come through
        slot.process.wait(40)
        slot.killed, slot.stopped = True, False
        return f"coordinator {slot.number}"

    def in_phase(self, phase):
        """What the store says of it, if the sweep is in that phase, else None."""
        listed, rows = "enumeration" in self.row(), self.peek("HLEN", f"swp:{self.sweep_id()}:accounts")
        return f"listed: {listed}, accounts: {int(rows)}" if rows and PHASES[phase](listed, int(rows)) else None

    def do_kill_coordinator_while(self, phase, seconds):
        """When it has been in that phase for so long."""
        end, since = time.monotonic() + PHASE_SECONDS, None
        while time.monotonic() < end and not self.report():
            slot = self.leading_surely()
            since = self.in_phase(phase) and (since or time.monotonic())
            if since and slot and not slot.stopped and time.monotonic() - since >= seconds:
                self.kill_coordinator(slot)
                seen = self.in_phase(phase)  # behind the kill: then it was so before it
                self.landed[phase] = self.landed.get(phase, 0) + bool(seen)
                return f"coordinator {slot.number}; {seen or 'too late'}"
            time.sleep(0.02)
        return "it was not"

    def do_crash_coordinator(self, which):
        return self.do_kill_coordinator(which, signal.SIGABRT)

    def do_end_coordinator(self, which):
        """SIGTERM to a service: it drains, the other one goes on. A one-off sweep would be cancelled by it, so that is killed."""
        return self.do_kill_coordinator(which, signal.SIGTERM if self.form == "serve" else signal.SIGKILL)

    def do_start_coordinators(self, _=None):
        """Those of a service that do not run; of a one-off sweep, one that goes on with it, if none is at it."""
        dead = [slot for slot in self.coordinators if not slot.lives()]
        if self.form == "sweep" and len(dead) < 2:
            return "one is at it"
        for slot in dead if self.form == "serve" else dead[-1:]:
            self.start_coordinator(slot.number)

    def do_take_over(self):
        """An operator who believes that the coordinator is gone (a service needs none)."""
        if self.form == "serve":
            return "left to the other one"
        for slot in self.coordinators:
            if not slot.lives():
                self.start_coordinator(slot.number)
                return f"coordinator {slot.number}"

    def do_stop_coordinator(self, which):
        slot = self.slot(which)
        if slot.lives():
            slot.process.send_signal(signal.SIGSTOP)
            slot.stopped = True
        return f"coordinator {slot.number}"

    def do_continue_coordinators(self):
        for slot in self.coordinators:
            if slot.lives():
                slot.process.send_signal(signal.SIGCONT)
            slot.stopped = False

    def do_cut_power(self):
        """Everything that is ours, at once."""
        for slot in self.coordinators:
            slot.killed = True
        self.may_end |= set(WORKERS)
        processes = [*(slot.process for slot in self.coordinators), *self.workers.values(), self.redis.process]
        for process in processes:
            if process and process.poll() is None:
                process.kill()
        for process in processes:
            if process:
                process.wait(40)

    def do_restore_power(self):
        self.do_start_redis()
        self.do_start_coordinators()
        for name in WORKERS:
            self.start_worker(name)

    def do_all_links(self, mode):
        for link in self.link.values():
            link.set(mode)

    def do_kill_redis(self):
        self.redis.kill()

    def do_start_redis(self):
        if self.redis.process.poll() is not None:
            self.redis.start()

    def do_stop_redis(self):
        self.redis.process.send_signal(signal.SIGSTOP)

    def do_continue_redis(self):
        self.redis.process.send_signal(signal.SIGCONT)

    def do_link(self, name, mode):
        self.link[name].set(mode)

    def do_fill_disk(self):
        self.disk.fill()

    def do_empty_disk(self):
        with contextlib.suppress(FileNotFoundError):
            self.disk.empty()

    def do_aws(self, number, text):
        self.aws[number] = text
        self.set_aws()

    def do_aws_heals(self, number):
        self.aws.pop(number, None)
        self.set_aws()

    def set_aws(self):
        """Ours come between what the organization itself refuses and the slowness, as the first that applies wins."""
        ours = [dict(part.split("=", 1) for part in text.split(",")) for text in self.aws.values()]
        self.simulator.ask("faults", "PUT", [*organization_faults(), *ours, self.slowness])

    def do_clock_of(self, who, seconds):
        if not self.clocks:
            return "libfaketime is not there"
        (self.place.path / f"clock-{who}").write_text(f"{seconds:+d}")

    def do_clock_of_redis(self, seconds):
        self.store_clock.set(seconds)

    def do_clock(self, seconds):
        self.simulator.ask("clock", "POST", {"offset_seconds": seconds})

    def packets_lost(self):
        return sum(link.packets_lost() for link in self.link.values())

    # --- its end ---

    def heal(self):
        """Everything is as it should be again."""
        for link in self.link.values():
            link.set("open")
        self.do_continue_redis()
        if self.disk:
            self.do_empty_disk()
        self.do_start_redis()
        self.do_continue_coordinators()
        for name in WORKERS:
            self.do_continue_worker(name)

    def tend(self):
        """As whoever runs it would: a service is started again, a sweep that nobody is at is gone on with. Notes ends that should not be."""
        for slot in self.coordinators:
            code = slot.process.poll() if slot.process else None
            if code is None or slot.killed or slot.has_reported():
                continue
            self.judge_end(slot, code)
            slot.killed = True
        for name in WORKERS:
            if name not in self.may_end and self.workers[name].poll() is not None:
                self.may_end.add(name)
                self.unexpected.append(f"worker {name} ended with {self.workers[name].returncode}")

    def report(self):
        """The report's text, once somebody has written it."""
        if self.form == "serve":
            return next((file.read_text() for file in self.reports.glob(f"{NAME}-*.json")), None)
        return next((slot.report.read_text() for slot in self.coordinators if slot.has_reported()), None)

    def nobody_will_report(self):
        """Whoever ended the sweep was killed before it had written the report, or did not write it."""
        if self.row().get("state") != "finished":
            return False
        time.sleep(5 if self.form == "serve" else 1)
        return self.report() is None and (self.form == "serve" or not any(slot.lives() for slot in self.coordinators))

    def go_on(self):
        """What whoever runs it would do at last: nobody is at a one-off sweep, a service or a worker does not run."""
        if self.form == "serve" or not any(slot.lives() or slot.has_reported() for slot in self.coordinators):
            for slot in self.coordinators if self.form == "serve" else self.coordinators[1:]:
                if not slot.lives():
                    self.tell(f"coordinator {slot.number} is started again")
                    self.start_coordinator(slot.number)
        for name in WORKERS:  # one that was told to end while it was to be started again, say
            if self.workers[name].poll() is not None:
                self.tell(f"worker {name} is started again")
                self.start_worker(name)

    def judge_end(self, slot, code):
        text = (self.place.path / f"coordinator-{slot.number}.log").read_text().rpartition("--- start")[2]
        last = text.rstrip().splitlines()[-1] if text.strip() else ""
        self.tell(f"coordinator {slot.number} ended: {code}, {last}")
        right = self.form == "sweep" and (
            (code == 5 and "taken sweep" in last) or
            (code == 2 and slot.resumed and any(word in last for word in ("alive", "finished", "store"))))
        if not right:
            self.unexpected.append(f"coordinator {slot.number} ended with {code}: {last}")

    def close(self):
        self.links.close()
        if self.disk:
            self.disk.__exit__()

    def report_from_store(self):
        done = orgsweep(self.place, "report", "--all", "--output", "-", "--store", self.redis.url,
                        environment=self.place.environment(ORGSWEEP_STORE_PASSWORD=PASSWORD))
        return done.stdout if done.returncode == 0 else None
