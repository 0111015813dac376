# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a plan's things was made from this computer, and what has the lab's tags and nothing more to say for it."""

from __future__ import annotations

import typing as t

from ansible_collections.desi.lab.plugins.module_utils._ec2.key_pair import Key
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import GROUP, KEY, Memory, things_of_machine
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import seen
from ansible_collections.desi.lab.plugins.module_utils._ec2.security_group import Group, told

Things = t.List[t.Dict[str, str]]  # noqa: UP006 - evaluated by Python 3.9, too


class Known(t.NamedTuple):
    """``unknown`` is what has to be asked for, in words; ``things`` is what is to be remembered once that is done.

    ``begun`` are groups that are about to be made.
    """

    unknown: list[str]
    things: Things
    begun: list[str]
    new: bool

    def of(self, number: str) -> bool:
        """Return whether a thing is one that has to be asked for."""
        return any(number in words.split() for words in self.unknown)


# Whoever has no folder for it remembers nothing, and is not asked.
NOTHING = Known([], [], [], False)


def known(memory: Memory | None, instance: t.Mapping[str, t.Any] | None, group: Group, key: Key) -> Known:
    """Return what of a machine, its group and its key is known."""
    unknown, things, begun = [], [], []
    if instance is not None:
        things += things_of_machine(instance)
        if memory is None or not memory.knows_machine(instance):
            view = seen(instance)
            unknown.append(f"machine {view['id']} ({view['type']}, {view['state']})")
    if group.id:
        things.append({"kind": GROUP, "id": group.id})
        if memory is None or not (memory.knows(GROUP, group.id) or _was_begun(memory, group)):
            unknown.append(f"security group {group.id} ({group.name}: {told(group.rules) or 'lets nobody in'})")
    else:
        begun.append(begun_name(group))
    # Its public half is that of the private key here, so it can be nobody else's.
    if key.id:
        things.append({"kind": KEY, "id": key.id})
    new = memory is None or any(not memory.knows(one["kind"], one["id"]) for one in things)
    return Known(unknown, things, begun, new or any(name not in memory.begun for name in begun if memory))


def begun_name(group: Group) -> str:
    """Return how a group that is about to be made is remembered."""
    return f"{group.vpc_id}/{group.name}"


def _was_begun(memory: Memory, group: Group) -> bool:
    """Return whether a group is the one of a run that ended between making it and remembering it: as we make it."""
    return begun_name(group) in memory.begun and not memory.ids(GROUP) and not group.foreign
