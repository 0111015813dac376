# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated region as those see it who use it: it runs in a process of its own, and is asked over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from region import people
from region.faults import BadRuleError, Rule

# Here, no proxy of this computer is in between.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RunningRegion:
    def __init__(self, about: dict[str, Any]) -> None:
        self.about = about
        self.endpoint: str = about["endpoint"]
        self.bucket_endpoint: str = about["bucket_endpoint"]
        self.address_service: str = about["address_service"]
        self.environment: dict[str, str] = about["environment"]
        self._sessions: dict[str, boto3.session.Session] = {}

    def environment_of(self, user: str) -> dict[str, str]:
        """Return the environment of another user of the account."""
        return people.environment(self.endpoint, user)

    def client(self, service: str, user: str = "ann", **options: Any) -> Any:
        """Return boto3's client of a service, with the keys of a user."""
        if user not in self._sessions:
            known = people.environment(self.endpoint, user)
            self._sessions[user] = boto3.session.Session(
                aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
                region_name=known["AWS_REGION"],
            )
        # It has read AWS's descriptions of its services, megabytes of them.
        return self._sessions[user].client(service, endpoint_url=self.endpoint, **options)

    @contextlib.contextmanager
    def faults(self, *rules: Rule) -> Iterator[list[int]]:
        """Put rules in force for a while (helpers.py)."""
        added = self._ask("POST", "faults", list(rules))["faults"]
        try:
            yield added
        finally:
            for number in added:
                self._ask("DELETE", f"faults/{number}")

    def calls(self, action: str = "") -> list[dict[str, Any]]:
        """Return the calls since the region began or they were forgotten, or those of an action."""
        return [call for call in self._ask("GET", "calls") if action in ("", call["action"])]

    def forget_calls(self) -> None:
        """Begin the log of calls anew."""
        self._ask("DELETE", "calls")

    def machines(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "machines"))

    def exec(self, instance: str, *command: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        """Run a command on a machine, past its firewall."""
        name = f"{self.about['name']}-{instance}"
        full = ["docker", "exec", "--user", user, name, *command]
        return subprocess.run(full, capture_output=True, text=True, check=False)

    def let_time_pass(self, days: float) -> list[dict[str, str]]:
        """Let happen what schedules have for the next days; return what did. No clock is moved."""
        return list(self._ask("POST", "time", {"days": days})["happened"])

    def reset(self) -> None:
        """Let everything be as it was in the beginning."""
        self._ask("POST", "reset")

    def _ask(self, method: str, path: str, document: Any = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.endpoint}/_region/{path}", data=body, method=method)  # noqa: S310
        try:
            with OPENER.open(request, timeout=120) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise BadRuleError(error.read().decode().strip()) from None


@contextlib.contextmanager
def running(log: Path, *arguments: str) -> Iterator[RunningRegion]:
    """Run a region for a while; it also ends when this process does. What it has to say besides is in the log."""
    folder = Path(__file__).resolve().parents[1]
    known = {**os.environ, "PYTHONPATH": str(folder)}
    with (
        log.open("w") as said,
        subprocess.Popen(
            [sys.executable, "-m", "region", "--while-read", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=known,
            # A Ctrl-C is for those who use it; they end it when they are done.
            start_new_session=True,
        ) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                process.wait()
                raise RuntimeError(f"The simulated region did not start. {log.read_text().strip()}")
            yield RunningRegion(json.loads(line))
        finally:
            process.terminate()
            process.wait(120)
