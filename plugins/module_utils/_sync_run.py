# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""A folder here and one on a machine, brought together by rsync over SSH as _sync_plan decides."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.desi.lab.plugins.module_utils import _sync_hands as hands
from ansible_collections.desi.lab.plugins.module_utils import _sync_plan as plans
from ansible_collections.desi.lab.plugins.module_utils._errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ssh import (
    CLOSED,
    MUTE,
    REFUSED,
    SILENT,
    UNREACHABLE,
    check_host,
    classify,
)

# Reads the text of what is to be done, then does it; whatever else there is to say follows on standard input.
FIRST = (
    "import sys; size = int(sys.stdin.buffer.readline()); text = sys.stdin.buffer.read(size); "
    "scope = {'__name__': 'hands'}; exec(compile(text, 'hands', 'exec'), scope); scope['main']()"
)
OLDEST_RSYNC = 3
VANISHED = 24
"""How rsync says that something went while it was copied."""
NO_WAY = (CLOSED, MUTE, REFUSED, SILENT, UNREACHABLE)
SPACE = ("No space left on device", "Disk quota exceeded")

Answer = t.Mapping[str, t.Any]
Request = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Wish:
    """What is to be synced, and how."""

    folder: str
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
    """How both sides were after the last sync of this folder with this machine. Without it, nothing is lost."""

    def __init__(self, wish: Wish) -> None:
        self.path = Path(wish.memory)
        self.key = {"folder": wish.folder, "peer": wish.peer or wish.host, "remote": wish.remote}

    def read(self) -> dict[str, t.Any]:
        """Return what is remembered."""
        try:
            found = json.loads(self.path.read_text())
            return dict(found["base"]) if {key: found.get(key) for key in self.key} == self.key else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write(self, base: t.Mapping[str, t.Any]) -> None:
        """Remember."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({**self.key, "base": base}))
        new.replace(self.path)


class Sync:
    """Looks at both sides, decides, and does it."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        check_host(wish.host)
        self.ssh = ["ssh", "-F", wish.config, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={wish.timeout}"]
        self.memory = Memory(wish)

    def plan(self) -> plans.Plan:
        """Look at both sides, and decide."""
        self._check_tools()
        wish = self.wish
        own = hands.own_lines(Path(wish.folder))
        there = self._there({"do": "list", "folder": wish.remote, "lines": own})
        if there.get("absent") and wish.direction != plans.DOWN:
            why = f"There is no folder {wish.remote} on it."
            raise LabError(
                f"The files cannot be synced with {wish.host}.", why, "Make it with ./lab ec2, which is safe to repeat."
            )
        here = {}
        if Path(wish.folder).is_dir():
            here = self._here({"do": "list", "folder": wish.folder, "lines": there["lines"]})["files"]
        self.files = (here, there["files"])
        self.base = self.memory.read()
        unsure = plans.doubtful(*self.files, self.base)
        same: set[str] = set()
        if unsure:
            asked = {"do": "digests", "paths": unsure}
            one = self._here({**asked, "folder": wish.folder})["digests"]
            other = self._there({**asked, "folder": wish.remote})["digests"]
            same = {path for path in unsure if one[path] == other[path]}
        hosts = (wish.here, wish.host)
        return plans.decide(*self.files, self.base, same, wish.direction, wish.delete, hosts)

    def run(self, plan: plans.Plan) -> list[str]:
        """Do what was decided; return what had changed in the meantime, of which both versions are kept."""
        wish = self.wish
        if plan.gets[plans.HERE]:
            self._make_folder()
        remote = f"{wish.host}:{wish.remote}"
        self._copy(f"{remote}/", f"{wish.folder}/{hands.STAGING}/", plan.gets[plans.HERE])
        self._copy(f"{wish.folder}/", f"{remote}/{hands.STAGING}/", plan.gets[plans.THERE])
        done = [
            self._settle(self._here, wish.folder, plan.steps[plans.HERE], wish.owner),
            self._settle(self._there, wish.remote, plan.steps[plans.THERE], None),
        ]
        changed = {path for each in done for path in each["changed"]}
        after = [{**files, **each["entries"]} for files, each in zip(self.files, done)]
        self.memory.write(plans.remembered(plan, self.base, after, changed))
        return sorted(changed)

    def size(self, plan: plans.Plan) -> tuple[int, int]:
        """Return how many bytes each side gets."""
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
        if not self.wish.create and not Path(self.wish.folder).is_dir():
            why = "It does not exist, or it is no folder."
            raise LabError(
                f"The folder {self.wish.folder} cannot be synced.", why, "Choose another: -e lab_folder=/path"
            )

    def _make_folder(self) -> None:
        made = [path for path in (Path(self.wish.folder), *Path(self.wish.folder).parents) if not path.exists()]
        for path in reversed(made):
            path.mkdir()
            if self.wish.owner and os.geteuid() == 0:
                os.chown(path, *self.wish.owner)

    @staticmethod
    def _settle(ask: t.Callable[[Request], Answer], folder: str, steps: list[t.Any], owner: t.Any) -> Answer:  # noqa: ANN401 - as in Request
        if not steps:
            return {"entries": {}, "changed": []}
        return ask({"do": "settle", "folder": folder, "steps": steps, "owner": list(owner) if owner else None})

    def _here(self, request: Request) -> Answer:
        try:
            return hands.answer(dict(request))
        except OSError as error:
            raise self._in_the_way("on this computer", f"{error.strerror or error}: {error.filename or ''}") from error

    def _there(self, request: Request) -> Answer:
        source = Path(hands.__file__).read_bytes() if Path(hands.__file__).is_file() else _packed_source()
        given = b"%d\n%b%b" % (len(source), source, json.dumps(request).encode())
        command = [*self.ssh, self.wish.host, f"python3 -c {shlex.quote(FIRST)}"]
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        if done.returncode:
            raise self._no_answer(done.stderr.decode(errors="replace"))
        answer = json.loads(done.stdout)
        if "trouble" in answer:
            raise self._in_the_way(f"on {self.wish.host}", answer["trouble"])
        return answer

    def _copy(self, source: str, target: str, paths: t.Sequence[str]) -> None:
        if not paths:
            return
        to_there = target.startswith(f"{self.wish.host}:")
        if not to_there:
            Path(target).mkdir(exist_ok=True)
        command = [
            "rsync",
            "--links",
            "--perms",
            "--times",
            "--from0",
            "--files-from=-",
            "--protect-args",
            # What is there already of a file need not travel, as far as it is the same.
            "--copy-dest=..",
            f"--timeout={60 * max(1, self.wish.timeout // 20)}",
            "--rsh",
            shlex.join(self.ssh),
            source,
            target,
        ]
        given = b"\0".join(os.fsencode(path) for path in paths)
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        if done.returncode not in (0, VANISHED):
            said = done.stderr.decode(errors="replace")
            if "rsync: command not found" in said or "rsync: not found" in said:
                why = "rsync is not installed there."
                raise LabError(f"The files cannot be synced with {self.wish.host}.", why, "./lab ec2 installs it.")
            raise self._no_answer(said)

    def _no_answer(self, said: str) -> LabError:
        lines = [line for line in said.splitlines() if line.strip() and not line.startswith("rsync error")]
        saying = classify(said)
        words = saying.words or (lines[-1].strip() if lines else "nothing")
        do = "Run the same command again; nothing was lost, and it goes on from here."
        if saying.kind in NO_WAY:
            do = "Run ./lab start, which lets your present address in, then the same command again; nothing was lost."
        if any(word in said for word in SPACE):
            do = "Make room on that disk, then run the same command again; nothing was lost."
        return LabError(f"The files could not be synced with {self.wish.host}.", f'It came to this: "{words}".', do)

    @staticmethod
    def _in_the_way(where: str, words: str) -> LabError:
        do = "Put that right, or leave it out by a line in the file .labignore, then run the same command again."
        return LabError("The files could not be synced.", f"Something is in the way {where}: {words.strip(': ')}.", do)


def _packed_source() -> bytes:
    """Return the text of a module that lies in a ZIP file, as Ansible sends it."""
    return hands.__loader__.get_source(hands.__name__).encode()  # type: ignore[union-attr] - what was imported has a loader
