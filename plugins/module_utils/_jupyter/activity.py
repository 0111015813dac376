# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernels and terminals that run in a Jupyter server, and commands beside it, which would end with it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._common.errors import LabError
from .._common.text import one_line
from .._docker.port_owner import Proof
from .notebook import EXECUTE
from .probe import NoAnswer, prepare, read
from .running_servers import QUERY

STATES = {"busy": "computes at this moment", "idle": "waits for you", "starting": "is starting"}
PATIENCE_SECONDS = 10
LONGEST_TEXT = 80
# What follows the program of ./lab shell, and what DESI Lab runs to inspect a container.
SESSION = "\n session "
OWN = ("ls ", " ".join(QUERY[:2]) + f" {QUERY[2][:20]}")
UNKNOWN = {"label": "server", "text": "it does not answer, so nobody knows what runs in it", "about": ""}

Line = dict[str, str]


def activity_rows(
    sessions: t.Iterable[t.Mapping[str, t.Any]],
    terminals: t.Iterable[t.Mapping[str, t.Any]],
    kernels: t.Iterable[t.Mapping[str, t.Any]] = (),
) -> list[Line]:
    """Return a row for each kernel, busy ones first, and each terminal. A kernel may have no session."""
    found = []
    sessions = list(sessions)
    known = {(session.get("kernel") or {}).get("id") for session in sessions}
    for session in [*sessions, *({"kernel": kernel} for kernel in kernels if kernel.get("id") not in known)]:
        kernel = session.get("kernel") or {}
        state = str(kernel.get("execution_state") or "")
        what = str(session.get("path") or session.get("name") or kernel.get("name") or kernel.get("id") or "a kernel")
        row = {"label": "kernel", "text": what, "about": STATES.get(state, state)}
        found.append((state != "busy", row))
    rows = [row for _order, row in sorted(found, key=lambda pair: (pair[0], pair[1]["text"]))]
    return rows + [{"label": "terminal", "text": str(each.get("name") or ""), "about": ""} for each in terminals]


def ask(url: str, certificate: str = "", proof: Proof | None = None) -> list[Line]:
    """Return what runs in the server at a URL with its token; a row of its own if it does not answer."""
    try:
        question = replace(prepare(url, certificate), proof=proof)
        sessions = read(question, "api/sessions", PATIENCE_SECONDS)
        terminals = read(question, "api/terminals", PATIENCE_SECONDS)
        kernels = read(question, "api/kernels", PATIENCE_SECONDS)
        return [dict(UNKNOWN)] if sessions is None else activity_rows(sessions, terminals or [], kernels or [])
    except (LabError, NoAnswer, TypeError, AttributeError):
        return [dict(UNKNOWN)]


def command_rows(commands: t.Iterable[str], healthcheck: str = "") -> list[Line]:
    """Return a row for each command that somebody runs in a container; what inspects it is none."""
    rows = []
    for command in commands:
        _start, is_notebook, given = command.partition(f"{EXECUTE} ")
        _program, is_shell, words = command.partition(SESSION)
        if is_notebook:
            label, text = "notebook", given.partition(" ")[2] or "of ./lab run"
        elif is_shell:
            label, text = "shell", words.partition(" ")[2] or "of ./lab shell"
        elif command.startswith(OWN) or (healthcheck and command.endswith(healthcheck)):
            continue
        else:
            label, text = "command", command
        rows.append({"label": label, "text": one_line(text)[:LONGEST_TEXT], "about": "runs at this moment"})
    return rows
