# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete a lab's resources by their ids, and wait until AWS confirms that they are gone."""

from __future__ import annotations

import typing as t

from .._aws.errors import botocore_errors, code_of
from .._common.errors import LabError
from .deletion_proof import BY_ID, described
from .record import DISK, GROUP, INSTANCE, KEY, REQUEST, SCHEDULES
from .resources import ADDRESS, INTERFACE, SNAPSHOT, ResourceQuery, exists, id_of, pauses, resource_rows
from .run_instances import state_of

Row = t.Mapping[str, t.Any]
Found = t.Dict[str, t.List[t.Dict[str, t.Any]]]  # noqa: UP006 - evaluated by Python 3.9, too

# The operation that deletes one, the parameter that names it, and which part of its row that is.
DELETIONS = {
    DISK: ("delete_volume", "VolumeId", "id"),
    SNAPSHOT: ("delete_snapshot", "SnapshotId", "id"),
    GROUP: ("delete_security_group", "GroupId", "id"),
    KEY: ("delete_key_pair", "KeyName", "name"),
}
ABSENT = {**{kind: row[-1] for kind, row in BY_ID.items()}, SNAPSHOT: "InvalidSnapshot.NotFound"}
# A disk or an interface may outlive its instance for so long, and the API may tell of it for longer still.
LINGER_SECONDS = 20.0
IN_USE_SECONDS = 60.0


def request_end(
    ec2: t.Any,  # noqa: ANN401 - a client of botocore
    kind: str,
    operation: str,
    parameter: str,
    ids: t.Sequence[str],
) -> list[str]:
    """Ask AWS to end resources of a kind, and return those that it knows."""
    if not ids:
        return []
    try:
        getattr(ec2, operation)(**{parameter: list(ids)})
    except botocore_errors() as error:
        if code_of(error) != ABSENT[kind]:
            raise
        # AWS ends none of several if one of them is gone.
        return [one for one in ids if len(ids) > 1 and request_end(ec2, kind, operation, parameter, [one])]
    return list(ids)


class Removal:
    """Delete the resources of a lab that ``rows`` name.

    ``confirmed`` are those of which AWS has said since that they are gone, each a kind and an id: an instance that is
    terminated, a request that is cancelled, and what AWS has deleted or does not know. ``removed`` are the rows of what
    was there.
    """

    def __init__(self, query: ResourceQuery, rows: t.Sequence[Row]) -> None:
        self.query, self.ec2, self.sleep, self.clock = query, query.ec2, query.sleep, query.clock
        self.rows = rows
        self.confirmed: set[tuple[str, str]] = set()
        self.removed: list[Row] = []

    def run(self, seconds: float) -> Found:
        """Delete everything; return what then has the lab's tags. ``seconds`` is how long instances may take."""
        # An open request would make another instance in the place of the one that goes.
        requests = [row["id"] for row in self._of(REQUEST)]
        ended = request_end(self.ec2, REQUEST, "cancel_spot_instance_requests", "SpotInstanceRequestIds", requests)
        for row in self._of(REQUEST):
            if row["id"] in ended:
                self._confirm(row)
        others = self._terminate(seconds)
        for kind in (GROUP, KEY, SNAPSHOT):
            for row in self._of(kind):
                self._delete(row)
        return self._remaining(others)

    def _of(self, kind: str) -> list[Row]:
        return [row for row in self.rows if row["kind"] == kind]

    def _confirm(self, row: Row, was_there: bool = True) -> None:
        self.confirmed.add((row["kind"], row["id"]))
        if was_there:
            self.removed.append(row)

    def _terminate(self, seconds: float) -> list[dict[str, t.Any]]:
        """Terminate the instances, and wait for that; return others with the lab's tags."""
        rows, end = {row["id"]: row for row in self._of(INSTANCE)}, self.clock() + seconds
        if not rows:
            return self.query.everything((INSTANCE,))[INSTANCE]
        request_end(self.ec2, INSTANCE, "terminate_instances", "InstanceIds", list(rows))
        for pause in pauses():
            self.sleep(pause)
            tagged = {instance["InstanceId"]: instance for instance in self.query.instances()}
            for number in self._unconfirmed(rows):
                # Its tags may go before it does.
                found = tagged.get(number) or described(self.ec2, INSTANCE, number)
                if found is None or state_of(found) == "terminated":
                    self._confirm(rows[number])
            there = self._unconfirmed(rows)
            if not there:
                break
            if self.clock() >= end:
                raise LabError(
                    f"The lab {self.query.name} is not gone yet.",
                    f"After {seconds:g} seconds AWS still has {', '.join(rows[number]['words'] for number in there)}.",
                    "Run this again in a few minutes; it goes on from here.",
                )
        return [one for number, one in tagged.items() if number not in rows and exists(INSTANCE, one)]

    def _unconfirmed(self, instances: t.Iterable[str]) -> list[str]:
        return [number for number in instances if (INSTANCE, number) not in self.confirmed]

    def _delete(self, row: Row) -> None:
        """Delete a resource. A group is in use as long as an interface is there, which may outlive its instance."""
        operation, parameter, key = DELETIONS[row["kind"]]
        end = self.clock() + IN_USE_SECONDS
        for pause in pauses():
            was_there = True
            try:
                getattr(self.ec2, operation)(**{parameter: row[key]})
            except botocore_errors() as error:
                if code_of(error) == "DependencyViolation" and self.clock() < end:
                    self.sleep(pause)
                    continue
                if code_of(error) != ABSENT[row["kind"]]:
                    raise
                was_there = False
            self._confirm(row, was_there)
            return

    def _remaining(self, others: list[dict[str, t.Any]]) -> Found:
        """Return what has the lab's tags, once all is deleted or the time is up."""
        going = {row["id"]: row for row in self.rows}
        kinds = {DISK, INTERFACE} | {row["kind"] for row in self.rows if row["kind"] in (ADDRESS, SCHEDULES)}
        end = self.clock() + LINGER_SECONDS
        for pause in pauses():
            found = self.query.everything(kinds)
            for disk in resource_rows({DISK: found[DISK]}):
                # Disks go with their instances; one that was detached before does not.
                if disk["id"] in going and not disk["in_use"]:
                    self._delete(going[disk["id"]])
            found[DISK] = [one for one in found[DISK] if (DISK, id_of(DISK, one)) not in self.confirmed]
            lingers = any(id_of(kind, one) in going for kind in found for one in found[kind])
            if not lingers or self.clock() >= end:
                break
            self.sleep(pause)
        return {INSTANCE: others, **found}
