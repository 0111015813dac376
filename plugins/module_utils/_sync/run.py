# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sync of a local directory with one on an instance, by rsync over SSH."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import types
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._common import errors as common_errors
from .._common import files as common_files
from .._common.bounded_command import run_bounded
from .._common.errors import LabError
from .._common.names import refused, shown
from .._common.source import source_of
from .._ssh.diagnosis import CLOSED, MUTE, REFUSED, SILENT, UNREACHABLE, check_host, classify
from .._ssh.wait import plain_parent
from . import agent
from . import answers as sync_answers
from . import patterns as sync_patterns
from . import plan as plans
from .staging import Here

SENT: tuple[types.ModuleType, ...] = (common_errors, common_files, sync_patterns, agent)
"""The modules that run on an instance, each after what it imports."""
# Reads the texts of these modules, then runs the last of them, with the request on standard input.
FIRST = (
    "import json, sys, types; modules = json.loads(sys.stdin.buffer.readline())\n"
    "for name, size in modules:\n"
    "    module = sys.modules[name] = types.ModuleType(name)\n"
    "    exec(compile(sys.stdin.buffer.read(size), name, 'exec'), module.__dict__)\n"
    "module.main()"
)
PLACE_THERE = ".local/state/desi-lab/sync"
"""Staging on an instance, below the SSH user's home: outside of what a lab can write."""
MODES = "Du=rwx,Dgo=,F-s,Fu+rw,Fgo-w"
OLDEST_RSYNC = 3
VANISHED = 24
"""rsync's exit code for files that vanished."""
NO_WAY = (CLOSED, MUTE, REFUSED, SILENT, UNREACHABLE)
MAX_OUTPUT = 2**20
SPACE = ("No space left on device", "Disk quota exceeded")

Answer = t.Mapping[str, t.Any]
Request = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Spec:
    """The options of a sync."""

    directory: str
    config: str
    host: str
    remote: str
    memory: str
    direction: str = plans.BOTH
    delete: bool = False
    create: bool = False
    here: str = "here"
    peer: str = ""
    owner: tuple[int, int] | None = None
    timeout: int = 20


class Memory:
    """The saved base of the last sync of this pair. Without it, nothing is lost."""

    def __init__(self, spec: Spec) -> None:
        self.path = Path(spec.memory)
        self.key = {"folder": spec.directory, "peer": spec.peer or spec.host, "remote": spec.remote}

    @property
    def ident(self) -> str:
        """Return an id of this pair of directories."""
        return hashlib.sha256(json.dumps(self.key, sort_keys=True).encode()).hexdigest()[:24]

    def read(self) -> dict[str, t.Any]:
        """Return the saved base; empty if it cannot be used."""
        try:
            found = json.loads(self.path.read_text())
            if {key: found.get(key) for key in self.key} != self.key:
                return {}
            return {path: [each and sync_answers.entry(each) for each in pair] for path, pair in found["base"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write(self, base: t.Mapping[str, t.Any]) -> None:
        """Save the base."""
        with common_files.closing(common_files.open_made(str(self.path.parent), 0o755)) as directory:
            common_files.write_beside(directory, self.path.name, json.dumps({**self.key, "base": base}).encode())


class Sync:
    """Lists both sides, plans, and applies the plan."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        check_host(spec.host)
        self.shared = tempfile.TemporaryDirectory(prefix="desi-", dir=plain_parent())
        """Where the one connection of this sync is met: to log in takes longer than to ask."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": spec.timeout,
            "ControlMaster": "auto",
            "ControlPath": f"{self.shared.name}/ssh",
            "ControlPersist": 15,
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        self.ssh = ["ssh", "-F", spec.config, *words]
        self.memory = Memory(spec)
        self.here = Here(spec.directory, self.memory.ident, spec.owner)
        # Both sides may share a home.
        self.there = f"{self.memory.ident}-there"
        self.old: list[str] = []
        """Where 0.1.0 has left a folder of copies."""

    def plan(self) -> plans.Plan:
        """List both sides and plan."""
        self._check_tools()
        spec = self.spec
        own = self._here({"do": "lines"})["lines"]
        there = self._there({"do": "list", "folder": spec.remote, "lines": own})
        if there["absent"] and spec.direction != plans.DOWN:
            why = f"There is no folder {spec.remote} on it."
            raise LabError(
                f"The files cannot be synced with {spec.host}.", why, "Make it with ./lab ec2, which is safe to repeat."
            )
        here = self._here({"do": "list", "folder": spec.directory, "lines": there["lines"]})
        self.old = [where for where, listed in (("here", here), ("there", there)) if listed["old"]]
        self.files = (here["files"], there["files"])
        self.base = self.memory.read()
        unsure = plans.doubtful(*self.files, self.base)
        same: set[str] = set()
        if unsure:
            asked = {"do": "digests", "paths": unsure}
            one = self._here({**asked, "folder": spec.directory})["digests"]
            other = self._there({**asked, "folder": spec.remote})["digests"]
            same = {path for path in one.keys() & other.keys() if one[path] == other[path]}
        hosts = (spec.here, spec.host)
        return plans.decide(*self.files, self.base, same, spec.direction, spec.delete, hosts)

    def run(self, plan: plans.Plan) -> list[str]:
        """Apply the plan; return paths that changed meanwhile, of which both versions are kept."""
        spec = self.spec
        done: list[Answer] = [{"entries": {}, "changed": []}] * 2
        if plan.changes:
            self._copy(plan)
            done = [
                self._here({"do": "settle", "folder": spec.directory, "steps": plan.steps[plans.HERE]}),
                self._there(
                    {
                        "do": "settle",
                        "folder": spec.remote,
                        "id": self.there,
                        "steps": plan.steps[plans.THERE],
                    }
                ),
            ]
            self.here.clear()
        changed = {path for each in done for path in each["changed"]}
        after = [{**files, **each["entries"]} for files, each in zip(self.files, done)]
        self.memory.write(plans.remembered(plan, self.base, after, changed))
        return sorted(changed)

    def close(self) -> None:
        """Close all descriptors and the connection."""
        self.here.close()
        if Path(self.shared.name, "ssh").exists():
            null = subprocess.DEVNULL
            command = [*self.ssh, "-O", "exit", self.spec.host]
            subprocess.run(command, stdin=null, stdout=null, stderr=null, check=False)
        self.shared.cleanup()

    def _copy(self, plan: plans.Plan) -> None:
        """Stage on both sides, then transfer between staging directories only."""
        if plan.gets[plans.HERE]:
            try:
                self.here.make()
            except OSError as error:
                raise self._in_the_way(
                    "on this computer", f"{error.strerror or error}: {error.filename or ''}"
                ) from None
        here, there = (
            [path for path in plan.gets[side] if self.files[1 - side][path][0] == "file"]
            for side in (plans.HERE, plans.THERE)
        )
        place = f"{PLACE_THERE}/{self.there}"
        asked = {"do": "prepare", "folder": self.spec.directory, "sends": there, "gets": here}
        gone_here = set(self._here(asked)["missing"])
        asked = {"do": "prepare", "folder": self.spec.remote, "id": self.there, "sends": here, "gets": there}
        gone_there = set(self._there(asked)["missing"])
        remote = f"{self.spec.host}:{place}"
        self._rsync(
            f"{remote}/{agent.OUTGOING}/", f"{agent.INCOMING}/", [each for each in here if each not in gone_there]
        )
        self._rsync(
            f"{agent.OUTGOING}/", f"{remote}/{agent.INCOMING}/", [each for each in there if each not in gone_here]
        )

    def size(self, plan: plans.Plan) -> tuple[int, int]:
        """Return how many bytes each side receives."""
        here, there = (
            sum(self.files[1 - side][path][1] for path in plan.gets[side]) for side in (plans.HERE, plans.THERE)
        )
        return here, there

    def _check_tools(self) -> None:
        if not shutil.which("rsync"):
            why = "rsync, which copies them, is not installed on this computer."
            raise LabError("The files cannot be synced.", why, "Install rsync, for example: sudo apt-get install rsync")
        said = subprocess.run(["rsync", "--version"], capture_output=True, check=False).stdout.decode(errors="replace")
        version = re.match(r"rsync +version +v?(\d+)", said)
        if not version or int(version[1]) < OLDEST_RSYNC:
            first = (said.splitlines() or ["says nothing"])[0].strip()
            why = f'The rsync on this computer, "{first}", cannot do what is needed.'
            do = f"Install rsync {OLDEST_RSYNC} or newer; on macOS: brew install rsync"
            raise LabError("The files cannot be synced.", why, do)
        if not self.spec.create and not Path(self.spec.directory).is_dir():
            why = "It does not exist, or it is no folder."
            raise LabError(
                f"The folder {self.spec.directory} cannot be synced.", why, "Choose another: -e lab_folder=/path"
            )

    def _here(self, request: Request) -> Answer:
        try:
            return self.here.answer(dict(request))
        except OSError as error:
            words = ": ".join(filter(None, (error.strerror or str(error), str(error.filename or ""))))
            raise self._in_the_way("on this computer", words) from error

    def _there(self, request: Request) -> Answer:
        texts = [(module.__name__, source_of(module).encode()) for module in SENT]
        head = json.dumps([(name, len(text)) for name, text in texts]).encode()
        given = b"\n".join((head, b"".join(text for _name, text in texts))) + json.dumps(request).encode()
        command = [*self.ssh, self.spec.host, f"python3 -I -c {shlex.quote(FIRST)}"]
        done = run_bounded(command, given, sync_answers.MAX_BYTES)
        if done.too_much:
            raise refused(self.spec.host, f"it is longer than {sync_answers.MAX_BYTES} bytes")
        if done.code:
            raise self._no_answer(done.errors)
        answer = sync_answers.parse(done.output, self.spec.host, request)
        if "error" in answer:
            raise self._in_the_way(f"on {self.spec.host}", answer["error"])
        return answer

    def _rsync(self, source: str, target: str, paths: t.Sequence[str]) -> None:
        if not paths:
            return
        command = [
            "rsync",
            # Without links: the sender could plant one, and then send a file through it.
            "--perms",
            "--times",
            f"--chmod={MODES}",
            "--from0",
            "--files-from=-",
            "--protect-args",
            # Transfer only what differs from the file that exists.
            f"--copy-dest=../{agent.BASIS}",
            f"--timeout={60 * max(1, self.spec.timeout // 20)}",
            "--rsh",
            shlex.join(self.ssh),
            source,
            target,
        ]
        given = b"\0".join(os.fsencode(path) for path in paths)
        staging = t.cast(int, self.here.staging)
        # In the open directory, wherever its path leads by now.
        done = run_bounded(command, given, MAX_OUTPUT, preexec_fn=lambda: os.fchdir(staging))
        if done.code not in (0, VANISHED):
            if "rsync: command not found" in done.errors or "rsync: not found" in done.errors:
                why = "rsync is not installed there."
                raise LabError(f"The files cannot be synced with {self.spec.host}.", why, "./lab ec2 installs it.")
            raise self._no_answer(done.errors)

    def _no_answer(self, said: str) -> LabError:
        lines = [line for line in said.splitlines() if line.strip() and not line.startswith("rsync error")]
        saying = classify(said)
        words = shown(saying.words or (lines[-1].strip() if lines else "nothing"))
        do = "Run the same command again; nothing was lost, and it goes on from here."
        if saying.kind in NO_WAY:
            do = "Start the lab, which lets your present address in, then run the same command again; nothing was lost."
        if any(word in said for word in SPACE):
            do = "Make room on that disk, then run the same command again; nothing was lost."
        return LabError(f"The files could not be synced with {self.spec.host}.", f'It came to this: "{words}".', do)

    @staticmethod
    def _in_the_way(where: str, words: str) -> LabError:
        do = "Put that right, or leave it out by a line in the file .labignore, then run the same command again."
        return LabError("The files could not be synced.", f"Something is in the way {where}: {shown(words, 500)}.", do)
