# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access to a lab on EC2: the local record against the instance's tags.

Whoever may write tags in the account may write these. They may lead to a safer way; a weaker one people have to allow.
"""

from __future__ import annotations

import json
import typing as t

from ..module_utils._lab.instance_answer import ACCESSES, one_of, port_number

USUAL = "tunnel"
"""The way of a lab that nothing is remembered of."""
WORDS = {
    "tunnel": "through SSH",
    "https": "at an address that is open to the network, encrypted",
    "direct": "at an address that is open to the network, without encryption",
}


def access_in(text: str) -> dict[str, t.Any]:
    """Return ``access`` and ``port`` of the local record; empty and 0 without one."""
    try:
        known = json.loads(text)
    except ValueError:
        known = {}
    known = known if isinstance(known, dict) else {}
    return {"access": one_of(known.get("access"), ACCESSES), "port": port_number(known.get("port"))}


def recorded_access(row: t.Mapping[str, t.Any], memory: str, certified: bool) -> dict[str, t.Any]:
    """Return ``access`` and ``port`` that need no confirmation, and as ``asks`` what the tags say beyond.

    ``row`` is a row of a machine, ``memory`` the text that was written here when the lab was made, and ``certified``
    whether this computer has made a certificate for it. ``asks`` has ``access``, ``port`` and ``words``, or is empty.
    """
    known = access_in(memory)
    tags = {"access": one_of(row.get("access"), ACCESSES), "port": port_number(row.get("port"))}
    if not row:
        return {**tags, "asks": {}}
    access = known["access"] or ("https" if certified else USUAL)
    port = known["port"] or tags["port"]
    weaker = bool(tags["access"]) and ACCESSES.index(tags["access"]) < ACCESSES.index(access)
    other = bool(known["port"] and tags["port"]) and tags["port"] != known["port"]
    if not weaker and not other:
        return {"access": tags["access"] or access, "port": port, "asks": {}}
    words = [f"{WORDS[tags['access']]}, where this computer knows it {WORDS[access]}"] if weaker else []
    words += [f"on port {tags['port']}, where this computer knows port {known['port']}"] if other else []
    asks = {"access": tags["access"] or access, "port": tags["port"] or port, "words": ", and ".join(words)}
    return {"access": access, "port": port, "asks": asks}


def is_allowed(asks: t.Mapping[str, t.Any], way: t.Mapping[str, t.Any], access: str, port: object) -> bool:
    """Return whether the given settings confirm all that the tags say beyond the local record."""
    weaker = asks["access"] != way["access"] and asks["access"] != access
    other = asks["port"] != way["port"] and asks["port"] != port_number(port)
    return not weaker and not other
