# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A log of all calls of the API, for tests to read; what is secret in a call is not in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

HIDDEN = "(hidden)"
# In the name of a parameter, what tells that its value is nobody's business.
SECRET = ("password", "secret", "token", "userdata", "privatekey")
# A client token is no secret, and tests want to see it.
PLAIN = ("clienttoken", "nexttoken")


@dataclass
class Entry:
    """A call, and how it was answered: with status 0 as long as it was not."""

    service: str
    action: str
    parameters: Mapping[str, Any]
    user: str = ""
    region: str = ""
    began: float = field(default_factory=time.time)
    seconds: float = 0.0
    status: int = 0
    code: str = ""
    fault: bool = False


class Calls:
    """The calls since the region began, or since they were forgotten."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def begin(self, entry: Entry) -> Entry:
        """Note a call that has come in."""
        with self._lock:
            self._entries.append(entry)
        return entry

    def all(self) -> list[dict[str, Any]]:
        """Return all, in the order in which they came in."""
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def forget(self) -> None:
        with self._lock:
            self._entries.clear()


def without_secrets(value: Any, name: str = "") -> Any:
    """Return parameters, at any depth, with what is secret hidden."""
    if isinstance(value, Mapping):
        return {key: without_secrets(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner, name) for inner in value]
    last = name.rpartition(".")[2].lower()
    secret = any(word in last for word in SECRET) and not any(word in last for word in PLAIN)
    return HIDDEN if secret else value
