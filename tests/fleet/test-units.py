"""The units of deploy/ for systemd: systemd itself finds nothing wrong in them, and what they start is started with options that it knows."""
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "sweeps"))
from common import ORGSWEEP, WORKER, Suite  # noqa: E402 (reads BUILD from the command line)

suite = Suite()
DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
UNITS = {path.name: path.name.replace("@.", "@1.") for path in sorted(DEPLOY.glob("*.service"))}  # a template by an instance of it
OURS = {"/usr/local/bin/orgsweep": ORGSWEEP, "/usr/local/bin/orgsweep-worker": WORKER}
SYSTEM = pathlib.Path("/usr/lib/systemd/system")


def lines(unit, key):
    return re.findall(rf"^{key}=(.*)$", (DEPLOY / unit).read_text(), re.M)


class Root:
    """A root folder with the units, those of systemd that they build on, and the programs that they name."""

    def __init__(self, place):
        self.path = place.path / "root"
        self.units = self.path / "etc/systemd/system"
        self.units.mkdir(parents=True)
        assert SYSTEM.is_dir() and shutil.which("systemd-analyze"), "systemd is missing: sh deploy/install-packages test"
        shutil.copytree(SYSTEM, self.path / SYSTEM.relative_to("/"), symlinks=True)
        for unit in UNITS:
            shutil.copy(DEPLOY / unit, self.units)
            for command in lines(unit, "Exec[A-Za-z]*"):
                self.add(shlex.split(command)[0])

    def add(self, program):
        target = self.path / program.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(OURS.get(program, program), target)

    def verify(self):
        """What systemd says. Of a key or a value that it ignores it only warns, and exits with 0."""
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={self.path}", *UNITS.values()], capture_output=True, text=True)
        return done.stdout + done.stderr or ("" if done.returncode == 0 else f"exit {done.returncode}")


@suite.test
def systemd_finds_nothing_wrong(place):
    root = Root(place)
    assert set(UNITS) == {"orgsweep.service", "orgsweep-worker@.service"}, UNITS
    assert root.verify() == ""


@suite.test
def systemd_would_find_what_is_wrong(place):
    """Else the test above says nothing."""
    root = Root(place)
    for unit, right, wrong, words in (("orgsweep.service", "PrivateTmp=", "PrivatTmp=", "Unknown key 'PrivatTmp'"),
                                      ("orgsweep.service", "WatchdogSec=30", "WatchdogSec=3O", "Failed to parse"),
                                      ("orgsweep-worker@.service", "Restart=always", "Restart=ever", "Failed to parse"),
                                      ("orgsweep-worker@.service", "/usr/local/bin/orgsweep-worker", "/usr/local/bin/worker", "not executable")):
        text = (DEPLOY / unit).read_text()
        assert right in text, right
        (root.units / unit).write_text(text.replace(right, wrong))
        assert words in root.verify(), (wrong, root.verify())
        (root.units / unit).write_text(text)
    assert root.verify() == ""


def expanded(unit, command):
    """Its words as systemd would make them: variables of the environment file as the unit's own comment shows them, specifiers filled in."""
    shown = dict(re.findall(r'^# .*?\b([A-Z_]+)="([^"]*)"', (DEPLOY / unit).read_text(), re.M))
    words = []
    for word in shlex.split(command):
        words += shlex.split(shown[word[1:]]) if word.startswith("$") else [word.replace("%H", "host").replace("%i", "1")]
    assert not [word for word in words if "%" in word or "$" in word], words
    return words


def known(program, words):
    """With --help behind them: help is given only if all before it is understood."""
    done = subprocess.run([str(OURS[program]), *words, "--help"], capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


@suite.test
def programs_know_the_options(place):
    for unit in UNITS:
        (command,) = lines(unit, "ExecStart")
        program, *words = expanded(unit, command)
        right, said = known(program, words)
        assert right, (command, said)
        options = [word for word in words if word.startswith("-")]
        assert options, command
        for option in options:
            assert re.search(rf"^  {option} ", said, re.M), (option, said)
            misspelt = [word if word != option else option + "s" for word in words]
            assert not known(program, misspelt)[0], misspelt


if __name__ == "__main__":
    suite.main(at_once=3)
