# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe of an instance over SSH, with bounded time and size."""

from __future__ import annotations

import shlex
import typing as t
from pathlib import Path

from .._common.bounded_command import run_bounded
from .._common.names import BadAnswer
from .._common.source import source_of
from .._dask.scheduler import QUESTION
from .._lab import probe
from .probe_answer import MAX_BYTES, parse

CONNECT_SECONDS = 2
WHOLE_SECONDS = 5.0


def source() -> str:
    """Return the program that is run there."""
    return source_of(probe)


def command(config: Path, host: str, address: str, port: int, scheduler: str) -> list[str]:
    """Return the ssh command. The address is AWS's current one; the host key goes by the instance's name."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT_SECONDS,
        "ControlMaster": "no",
        "ControlPath": "none",
        "GSSAPIAuthentication": "no",
        "HostName": address,
        # For many instances at once: ssh's default takes much more CPU.
        "KexAlgorithms": "^curve25519-sha256",
        "PreferredAuthentications": "publickey",
        # Never accept new host keys in a status query.
        "StrictHostKeyChecking": "yes",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    program = shlex.join(["/usr/bin/python3", "-I", "-S", "-", f"{port:d}", scheduler, *QUESTION])
    return ["ssh", "-F", str(config), *words, host, program]


def ask(config: Path, host: str, address: str, port: int, scheduler: str, program: str) -> dict[str, t.Any] | None:
    """Return the parsed answer of an instance; None if it does not answer in time.

    ``scheduler`` is the container of the lab's Dask scheduler, which there need not be.

    An answer of another shape is refused as a whole: what comes back then is why, as ``refused``.
    """
    try:
        done = run_bounded(command(config, host, address, port, scheduler), program.encode(), MAX_BYTES, WHOLE_SECONDS)
    except OSError:
        return None
    if done.too_late or (done.code and not done.too_much):
        return None
    try:
        return parse(done.output) if not done.too_much else {"refused": "it is too long"}
    except BadAnswer as error:
        return {"refused": str(error)}
