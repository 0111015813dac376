# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two computers, three people and two regions, in which verbs for one lab run, and may be killed anywhere."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from aws_region import KEYS, Region
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from player import SLEEPLESS, Player
from region import moto_repairs

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
REGIONS = ("us-west-2", "us-east-1")
ANOTHER_ACCOUNT = "111122223333"
PEOPLE = ("owner", "colleague", "other account")
COMPUTERS = ("laptop", "desk")
VERBS = ("ec2", "stop", "sync", "status", "down")
GONE = ("terminated", "shutting-down")
KILLED = (137, -signal.SIGKILL)


@dataclass(frozen=True)
class Step:
    """A verb, who types it where, and whether with a yes to all questions.

    It is killed at a task or after a call of AWS, both from 1; 0 is never.
    """

    verb: str
    computer: str = "laptop"
    person: str = "owner"
    region: str = "us-west-2"
    task: int = 0
    call: int = 0
    yes: bool = True


class Machine(NamedTuple):
    """A machine, as AWS knows it."""

    account: str
    region: str
    number: str
    state: str
    key: str


def player_in(folder: Path) -> Player:
    """Return the process whose children run ansible-playbook, with a stand-in for the machines."""
    programs = folder / "bin"
    programs.mkdir()
    shutil.copy(HERE / "machine.py", programs / "ssh")
    (programs / "ssh").chmod(0o755)
    # By its mark what a run of the tests has started is found.
    foreign = re.compile("AWS_|DESI_LAB_(?!TEST_RUN)")
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    more = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": "1000",
        "DOCKER_HOST": f"unix://{folder}/no-engine",
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    return Player(folder, {**kept, **more}, SLEEPLESS)


class World:
    """What is there, and what was seen of it: keys and files of each machine that ever ran."""

    def __init__(self, folder: Path, region: Region, player: Player) -> None:
        self.folder, self.region, self.player, self.machines = folder, region, player, folder / "machines"
        self.keys: dict[str, tuple[Path, str]] = {}
        self.files: dict[str, list[str]] = {}
        self.left, self.running = 0, 0
        # Whoever tests may have a lab of his own at the usual one.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for computer in COMPUTERS:
            (folder / computer / "work").mkdir(parents=True)
        iam = boto3.client("iam", region_name="us-east-1")
        iam.create_user(UserName="colleague")
        made = iam.create_access_key(UserName="colleague")["AccessKey"]
        role = f"arn:aws:iam::{ANOTHER_ACCOUNT}:role/x"
        assumed = boto3.client("sts", region_name="us-east-1").assume_role(RoleArn=role, RoleSessionName="other")
        self.credentials = {
            "owner": KEYS,
            "colleague": _environment(made["AccessKeyId"], made["SecretAccessKey"]),
            "other account": _environment(
                **{name: assumed["Credentials"][name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
            ),
        }
        moto_repairs.install()
        self.moto = region.moto
        region.moto = self._served

    def close(self) -> None:
        """Let the region answer as before."""
        self.region.moto = self.moto

    # AWS

    def _served(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        answer = list(self.moto(environ, start_response))
        self._mirror()
        if self.left:
            self.left -= 1
            if not self.left:
                kill(self.running)
        return answer

    def _mirror(self) -> None:
        """Let each machine that runs answer, and no other."""
        for machine in self.there():
            directory = self.machines / machine.number
            running = directory / "running"
            if machine.state == "running":
                (directory / "home/synced").mkdir(parents=True, exist_ok=True)
                running.touch()
            else:
                running.unlink(missing_ok=True)

    def there(self) -> list[Machine]:
        """Return all machines, also those that are terminated."""
        return [
            Machine(account, region, each.id, each._state.name, each.key_name)
            for account in (DEFAULT_ACCOUNT_ID, ANOTHER_ACCOUNT)
            for region in REGIONS
            for reservation in list(ec2_backends[account][region].reservations.values())
            for each in reservation.instances
        ]

    def alive(self) -> list[Machine]:
        """Return the machines that are not terminated."""
        return [each for each in self.there() if each.state not in GONE]

    def left_over(self, account: str, region: str) -> list[str]:
        """Return what is in a region that costs or is in the way, whoever made it."""
        backend = ec2_backends[account][region]
        groups = [each.name for groups in backend.groups.values() for each in groups.values()]
        return [
            *(f"machine {each.number}" for each in self.alive() if each[:2] == (account, region)),
            *(f"security group {name}" for name in groups if name != "default"),
            *(f"key pair {name}" for name in backend.key_pairs),
            *(f"disk {number}" for number in backend.volumes),
        ]

    def orphans(self) -> list[str]:
        """Return what is left anywhere: at AWS, and keys on the computers."""
        accounts = (DEFAULT_ACCOUNT_ID, ANOTHER_ACCOUNT)
        found = [
            f"{each} of {account} in {region}"
            for account in accounts
            for region in REGIONS
            for each in self.left_over(account, region)
        ]
        return found + [str(path) for path in self.folder.glob("*/config/desi-lab/*/*/id_ed25519")]

    # Verbs

    def folder_of(self, computer: str, region: str) -> Path:
        """Return where a computer keeps the keys of its lab."""
        return self.folder / computer / "config/desi-lab" / region / "desi"

    def run(self, step: Step) -> tuple[int, str]:
        """Run a verb; return its exit code and what it showed."""
        home = self.folder / step.computer
        settings = {
            "lab_name": "desi",
            "lab_where": "ec2",
            "lab_region": step.region,
            "lab_folder": str(home / "work"),
            "lab_port": self.port,
            "lab_allow_from": ["192.0.2.0/24"],
            "lab_image": "embedded",
            "lab_expire_days": 0,
            "lab_yes": step.yes and not self._is_anothers(step),
        }
        path = HERE / "launch.yml" if step.verb == "ec2" else ROOT / f"playbooks/{step.verb}.yml"
        command = ["ansible-playbook", str(path), "-e", json.dumps(settings)]
        environment = {
            **self.credentials[step.person],
            "AWS_ENDPOINT_URL": self.region.url,
            "DESI_TEST_MACHINES": str(self.machines),
            "AWS_CONFIG_FILE": str(home / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
        }
        self.running = self.player.begin(command, environment, home, step.task)
        self.left = step.call
        code, shown = self.player.end()
        self.left = 0
        self._seen(step.computer)
        return code, shown

    def _is_anothers(self, step: Step) -> bool:
        """Return whether the lab's machine was made on another computer: nobody says yes to what he does not know."""
        account = ANOTHER_ACCOUNT if step.person == "other account" else DEFAULT_ACCOUNT_ID
        own = self.folder_of(step.computer, step.region) / "id_ed25519"
        return any(
            (each.account, each.region) == (account, step.region) and self.keys[each.number][0] != own
            for each in self.alive()
        )

    def ends(self) -> Iterator[Step]:
        """Return who has to take away what is left, where it was made, as long as there is something."""
        for person in PEOPLE:
            account = ANOTHER_ACCOUNT if person == "other account" else DEFAULT_ACCOUNT_ID
            for computer in COMPUTERS:
                for region in REGIONS:
                    if self.folder_of(computer, region).exists() or self.left_over(account, region):
                        yield Step("down", computer, person, region)

    # What was seen

    def _seen(self, computer: str) -> None:
        """Note the key of each new machine, and let its user save a file."""
        for machine in self.alive():
            home = self.machines / machine.number / "home/synced"
            if machine.number not in self.keys:
                key = self.folder_of(computer, machine.region) / "id_ed25519"
                self.keys[machine.number] = key, key.read_text()
                self.files[machine.number] = []
            if machine.state == "running":
                name = f"{machine.number}-{len(self.files[machine.number])}.ipynb"
                (home / name).write_text(name)
                self.files[machine.number].append(name)

    def lost(self) -> list[str]:
        """Return what is lost: keys of machines that are there, and files of those that are not."""
        found = []
        here = {path.name for computer in COMPUTERS for path in (self.folder / computer / "work").iterdir()}
        state = {each.number: each.state for each in self.there()}
        for number, (path, key) in self.keys.items():
            if state[number] in GONE:
                found += [f"file {name}" for name in self.files[number] if name not in here]
            elif _text(path) != key:
                found.append(f"key of {number}")
        return found


def kill(process: int) -> None:
    """Kill a process and all that it has started."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    for child in children.stdout.split():
        kill(int(child))


def _environment(*words: str, **named: str) -> dict[str, str]:
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    given = {**dict(zip(names, words)), **named}
    spelled = {"AccessKeyId": "ACCESS_KEY_ID", "SecretAccessKey": "SECRET_ACCESS_KEY", "SessionToken": "SESSION_TOKEN"}
    return {f"AWS_{spelled[name]}": value for name, value in given.items()}


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
