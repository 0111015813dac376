# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for SSH access, until it works or cannot work."""

from __future__ import annotations

import math
import os
import re
import subprocess
import tempfile
import time
from typing import NamedTuple

from .._common.errors import LabError
from . import diagnosis

PAUSE = 1.0
# An instance that just started sshd may still be installing the key.
GRACE_TRIES = 2
GRACE_PAUSE = 2.0
CONNECT_SECONDS = 10
LOGIN_SECONDS = 20
LOGIN_SECONDS_AT_LEAST = 5

# A shared connection would prove nothing, and nobody answers prompts.
OPTIONS = ("BatchMode=yes", "ControlMaster=no", "ControlPath=none", "ConnectionAttempts=1", "ClearAllForwardings=yes")


_PLAIN = re.compile(r"[A-Za-z0-9/._-]{1,64}", re.ASCII)


class Met(NamedTuple):
    """The attempts and time until access."""

    tries: int
    elapsed: float


def environment() -> dict[str, str]:
    """Return an environment in which ssh prints English messages."""
    return {**os.environ, "LC_ALL": "C"}


def plain_parent() -> str:
    """Return where to make what is named in an option of ssh.

    ssh takes a blank in an option for an end, a % for a name of its own, and at most 104 bytes for a socket.
    """
    temporary = tempfile.gettempdir()
    return temporary if _PLAIN.fullmatch(temporary) else "/tmp"  # noqa: S108 - what is made there is one's own


def find_target(config: str, host: str) -> diagnosis.Target:
    """Return the settings of a host by ``ssh -G``."""
    command = ["ssh", "-F", config, "-G", diagnosis.check_host(host)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=30, check=False, env=environment()
        )
    except FileNotFoundError:
        raise LabError(
            "There is no ssh on this computer.",
            "Machines at AWS are reached with OpenSSH's client, which is not installed or not on PATH.",
            "Install it, for example: sudo apt-get install openssh-client",
        ) from None
    except subprocess.TimeoutExpired:
        raise LabError(
            "ssh does not answer.",
            f"It was asked what {config} says of {host}, and said nothing for half a minute.",
            f"Check for a Match exec line in {config} that runs something slow.",
        ) from None
    if done.returncode:
        # Before connecting, only the configuration can be wrong.
        words = diagnosis.classify(done.stderr).words
        raise diagnosis.not_let_in(diagnosis.Saying(diagnosis.CONFIG, words), diagnosis.Target(config, host, host))
    return diagnosis.parse_settings(done.stdout, config, host)


def try_once(target: diagnosis.Target, seconds: float) -> str | None:
    """Log in and out once; return the words of ssh on failure. It may exceed ``seconds`` by a few."""
    connect = max(1, min(CONNECT_SECONDS, math.ceil(seconds)))
    options = [word for option in (*OPTIONS, f"ConnectTimeout={connect}") for word in ("-o", option)]
    command = ["ssh", "-F", target.config, "-T", *options, target.host, "true"]
    # Into a file: a child of ssh would keep a pipe open after ssh is killed.
    with tempfile.TemporaryFile() as errors:
        try:
            code = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=connect + max(LOGIN_SECONDS_AT_LEAST, min(LOGIN_SECONDS, seconds)),
                check=False,
                env=environment(),
            ).returncode
        except subprocess.TimeoutExpired:
            return f"Timeout, server {target.address} not responding."
        if code == 0:
            return None
        errors.seek(0)
        said = errors.read(65536).decode(errors="replace")
    if code == 255:
        return said
    return f"The command true ended with {code} there: {diagnosis.classify(said).words}"


def wait_for(target: diagnosis.Target, timeout: float) -> Met:
    """Wait for SSH access; fail at once if waiting cannot help."""
    begun = time.monotonic()
    tries = denials = 0
    while True:
        said = try_once(target, timeout - (time.monotonic() - begun))
        tries += 1
        elapsed = time.monotonic() - begun
        if said is None:
            return Met(tries, round(elapsed, 2))
        saying = diagnosis.classify(said)
        if saying.kind == diagnosis.NAMELESS and target.address == target.host:
            # The host is not in the configuration, so its name was looked up.
            saying = saying._replace(kind=diagnosis.UNKNOWN_HOST)
        denials = denials + 1 if saying.kind == diagnosis.DENIED else 0
        if saying.kind in diagnosis.FINAL or denials > GRACE_TRIES:
            raise diagnosis.not_let_in(saying, target)
        pause = GRACE_PAUSE if denials else PAUSE
        if elapsed + pause >= timeout:
            raise (diagnosis.not_let_in(saying, target) if denials else diagnosis.too_late(saying, target, timeout))
        time.sleep(pause)
