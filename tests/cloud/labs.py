# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab as a person works with it: commands in a terminal, against the simulated region."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import run_counts
from player import Player

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
URL = re.compile(r"https?://\S+token=\S+")
# What a lab may leave in an account, by what lists it, and where its tags are.
LISTS = {
    "describe_volumes": "Volumes",
    "describe_security_groups": "SecurityGroups",
    "describe_key_pairs": "KeyPairs",
    "describe_network_interfaces": "NetworkInterfaces",
    "describe_addresses": "Addresses",
    "describe_spot_instance_requests": "SpotInstanceRequests",
}
GONE = ("terminated", "shutting-down", "cancelled", "closed")


class Lab:
    """A lab of a name, on a computer of its own as far as its keys are concerned.

    ``player``, if there is one, plays its verbs; it takes a fraction of the time of the command.
    """

    player: ClassVar[Player | None] = None

    def __init__(self, region: Any, name: str, home: Path, port: int, **settings: object) -> None:
        self.region, self.name, self.home, self.port = region, name, home, port
        work = home / f"work-{name}"
        work.mkdir(exist_ok=True)
        self.settings = {
            # Where the files come to that verbs bring home.
            "lab_folder": str(work),
            "lab_name": name,
            "lab_port": port,
            "lab_image": "embedded",
            "lab_endpoint": region.bucket_endpoint,
            "lab_open_browser": "never",
            # There is no terminal, and what costs money or destroys wants a yes.
            "lab_yes": True,
            "ec2_address_services": [region.address_service],
            "ec2_ssh_timeout": 180,
            "desi_headline": "a lab for a test",
            **settings,
        }
        self.folder = home / "config" / "desi-lab" / "us-west-2" / name

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of the person's terminal."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **kept,
            **self.region.environment,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.home / "a"),
            "COLUMNS": "1000",
            "NO_COLOR": "1",
            "PWD": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            **more,
        }

    def command(self, playbook: str, *arguments: str, **settings: object) -> list[str]:
        """Return the command that the person types; a setting that is None is left out."""
        path = ROOT / (playbook if playbook.endswith(".yml") else f"playbooks/{playbook}.yml")
        wanted = {name: value for name, value in {**self.settings, **settings}.items() if value is not None}
        return [str(BIN / "ansible-playbook"), str(path), "-e", json.dumps(wanted), *arguments]

    def front_door(self, verb: str, *words: str) -> list[str]:
        """Return the command of a verb that is more than a playbook."""
        return [str(ROOT / "lab"), verb, "-e", json.dumps(self.settings), *words]

    def begin(self, playbook: str, *arguments: str, **settings: object) -> subprocess.Popen[str]:
        """Begin a verb in a session of its own, and return while it runs."""
        return subprocess.Popen(
            self.command(playbook, *arguments, **settings),
            cwd=self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(
        self,
        playbook: str,
        *arguments: str,
        environment: dict[str, str] | None = None,
        counts: Path | None = None,
        **settings: object,
    ) -> str:
        """Run a verb that has to work; return what the person sees."""
        done = self.attempt(playbook, *arguments, environment=environment, counts=counts, **settings)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def url(self, counts: Path | None = None) -> str:
        """Return what ``./lab url`` prints, which is the URL and nothing else."""
        return self.run("url", environment={"DESI_LAB_QUIET": "1"}, counts=counts).strip()

    def on_machine(self, command: str) -> str:
        """Run a shell command on the lab's machine as somebody in a terminal would; return what it prints."""
        ssh = ["ssh", "-F", str(self.folder / "ssh_config"), f"desi-{self.name}", command]
        done = subprocess.run(ssh, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout.strip()

    def attempt(
        self,
        playbook: str,
        *arguments: str,
        environment: dict[str, str] | None = None,
        counts: Path | None = None,
        **settings: object,
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb that may fail; with a file, count in it what the run does (run_counts.py)."""
        command = self.command(playbook, *arguments, **settings)
        if self.player and not counts:
            return self.player.run(command, self.environment(**(environment or {})), self.home, timeout=600)
        return subprocess.run(
            run_counts.counted(counts, command) if counts else command,
            cwd=self.home,
            env=self.environment(**(environment or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )

    def refused(
        self, playbook: str, *arguments: str, environment: dict[str, str] | None = None, **settings: object
    ) -> str:
        """Run a verb that has to be refused, in three sentences without a traceback; return what the person sees."""
        done = self.attempt(playbook, *arguments, environment=environment, **settings)
        assert done.returncode != 0, done.stdout
        for sentence in ("What", "Why", "Do"):
            assert re.search(rf"^ +{sentence} +\S", done.stdout, re.MULTILINE), done.stdout
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def logins(self) -> int:
        """Return how often somebody has come in by SSH on the lab's machines since they began."""
        machines = [machine["InstanceId"] for machine in self.instances("running")]
        asked = ("journalctl", "--quiet", "--grep", "^Accepted publickey")
        return sum(len(self.region.exec(each, *asked).stdout.splitlines()) for each in machines)

    def instances(self, *states: str) -> list[dict[str, Any]]:
        """Return the machines of the lab, as the API lists them; without states, those that are not gone."""
        pages = self.region.client("ec2").describe_instances(
            Filters=[{"Name": "tag:desi-lab:name", "Values": [self.name]}]
        )
        found = [machine for reservation in pages["Reservations"] for machine in reservation["Instances"]]
        return [
            machine
            for machine in found
            if (machine["State"]["Name"] in states if states else machine["State"]["Name"] not in GONE)
        ]

    def sweep(self) -> None:
        """Take whatever the account holds for the lab away, past the product, so that the next test begins anew."""
        client = self.region.client("ec2")
        ours = [{"Name": "tag:desi-lab:name", "Values": [self.name]}]
        requests = client.describe_spot_instance_requests(Filters=ours)["SpotInstanceRequests"]
        if requests:
            client.cancel_spot_instance_requests(
                SpotInstanceRequestIds=[it["SpotInstanceRequestId"] for it in requests]
            )
        machines = [machine["InstanceId"] for machine in self.instances()]
        if machines:
            client.terminate_instances(InstanceIds=machines)
        for group in client.describe_security_groups(Filters=ours)["SecurityGroups"]:
            client.delete_security_group(GroupId=group["GroupId"])
        for key in client.describe_key_pairs(Filters=ours)["KeyPairs"]:
            client.delete_key_pair(KeyName=key["KeyName"])

    def left(self) -> list[str]:
        """Return whatever the account holds for the lab, by the API's own lists."""
        found = [machine["InstanceId"] for machine in self.instances()]
        client = self.region.client("ec2")
        for question, answer in LISTS.items():
            for thing in getattr(client, question)()[answer]:
                tags = {tag["Key"]: tag["Value"] for tag in thing.get("Tags") or thing.get("TagSet") or []}
                if tags.get("desi-lab:name") == self.name and thing.get("State") not in GONE:
                    found.append(
                        f"{question}: {next(iter(value for key, value in thing.items() if key.endswith('Id')))}"
                    )
        return found


def url_in(shown: str) -> str:
    found = URL.search(shown)
    assert found, shown
    return found[0]


def nothing_changed(shown: str) -> bool:
    """Return whether a run says, for each host, that nothing had to change."""
    figures = re.findall(r"ok=\d+ changed=(\d+) failed=(\d+)", shown)
    assert figures, shown
    return all(figure == ("0", "0") for figure in figures)


def allowed_actions() -> set[str]:
    """Return the actions that docs/iam-policy.json allows, in small letters."""
    statements = json.loads((ROOT / "docs/iam-policy.json").read_text())["Statement"]
    lists = ([given] if isinstance(given, str) else given for given in (each["Action"] for each in statements))
    return {action.lower() for actions in lists for action in actions}


def asked_actions(region: Any) -> set[str]:
    """Return the actions that a region was asked for. Who somebody is may be asked by everybody."""
    return {f"{call['service']}:{call['action']}".lower() for call in region.calls()} - {"sts:getcalleridentity"}
