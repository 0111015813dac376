# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask AWS and the machines themselves for what ``status`` says of labs on EC2, side by side."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ansible_collections.desi.lab.plugins.module_utils._aws import pricing as cost
from ansible_collections.desi.lab.plugins.module_utils._aws.account import Account
from ansible_collections.desi.lab.plugins.module_utils._aws.errors import AWS_ERRORS, code_of
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import NAME_TAG, OWNER_TAG, caller_of, is_ours, tags_of
from ansible_collections.desi.lab.plugins.module_utils._ec2 import expiry
from ansible_collections.desi.lab.plugins.module_utils._ec2.expiry_schedule import root_disk
from ansible_collections.desi.lab.plugins.module_utils._ec2.leftovers import lab_rows
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import state_of
from ansible_collections.desi.lab.plugins.module_utils._lab.probe import server_answers
from ansible_collections.desi.lab.plugins.module_utils._status import remote_probe as ssh
from ansible_collections.desi.lab.plugins.module_utils._status.ec2_row import Asked, told
from ansible_collections.desi.lab.plugins.module_utils._status.regions import Known

TAGGED: list[dict[str, t.Any]] = [{"Name": "tag-key", "Values": [NAME_TAG]}]
# Machines, and questions about each of them.
WORKERS = 64

Rows = t.List[t.Dict[str, t.Any]]  # noqa: UP006 - evaluated by Python 3.9, too


class Region:
    """Asks in one region. ``account`` has the clients of ec2, sts, scheduler and pricing."""

    def __init__(
        self,
        account: Account,
        known: Known,
        prices: t.Mapping[str, t.Any],
        tunnels: t.Mapping[str, int],
        program: str,
        clock: t.Callable[[], float] = time.time,
    ) -> None:
        self.account, self.known, self.prices, self.tunnels = account, known, prices, tunnels
        self.program, self.clock, self.region = program, clock, account.region

    def labs(self) -> Rows:
        """Return the rows of all labs of whoever asks."""
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            caller = pool.submit(self.account.clients["sts"].get_caller_identity)
            disks = pool.submit(self._disks)
            found = self.account.instances(TAGGED)
            who = caller_of(caller.result())
            owners = [owner for owner in (who.owner, who.former) if owner]
            ours = [one for one in found for owner in owners if is_ours(one, tags_of(one).get(NAME_TAG, ""), owner)]
            machines = {one["InstanceId"]: one for one in ours if state_of(one) != "terminated"}
            rows = lab_rows(machines.values(), self.region)
            asked = {row["id"]: self._about(pool, row, machines[row["id"]]) for row in rows}
            prices = self._prices(pool, {row["type"] for row in rows}) if rows else None
            sizes, now = disks.result(), self.clock()
            return [
                told(
                    row,
                    machines[row["id"]],
                    Asked(
                        **{name: answer.result() for name, answer in asked[row["id"]].items()},
                        disk_gib=sizes.get(root_disk(machines[row["id"]])),
                        prices=prices,
                        tunnel_port=self._tunnel(row),
                        folder=self.known.get((self.region, row["name"])),
                    ),
                    now,
                )
                for row in rows
            ]

    def _disks(self) -> dict[str, int]:
        """Return the sizes of disks; whoever may not see them sees the rest all the same."""
        try:
            found = self.account.pages("describe_volumes", "Volumes", TAGGED)
        except AWS_ERRORS:
            return {}
        return {str(disk["VolumeId"]): int(disk.get("Size") or 0) for disk in found}

    def _about(self, pool: ThreadPoolExecutor, row: dict[str, t.Any], machine: t.Any) -> dict[str, Future]:  # noqa: ANN401 - of EC2
        nothing: Future[None] = Future()
        nothing.set_result(None)
        folder, owner = self.known.get((self.region, row["name"])), tags_of(machine)[OWNER_TAG]
        reachable = row["state"] == "running" and folder is not None and row["address"]
        return {
            "look": pool.submit(self._look, row, folder) if reachable and folder else nothing,
            "answers": pool.submit(self._answers, row) if row["state"] == "running" else nothing,
            "expires": pool.submit(self._expires, row["name"], owner, machine["InstanceId"]),
        }

    def _look(self, row: t.Mapping[str, t.Any], folder: Path) -> dict[str, t.Any] | None:
        return ssh.ask(folder / "ssh_config", f"desi-{row['name']}", row["address"], row["port"] or 8888, self.program)

    def _tunnel(self, row: t.Mapping[str, t.Any]) -> int | None:
        return self.tunnels.get(f"{self.region}/{row['name']}")

    def _answers(self, row: t.Mapping[str, t.Any]) -> bool | None:
        """Return whether the server answers from here; None where there is no way to it at the moment."""
        if row["access"] in ("direct", "https") and row["address"] and row["port"]:
            scheme = "https" if row["access"] == "https" else "http"
            return server_answers(row["address"], row["port"], scheme, 2.0)
        port = self._tunnel(row)
        return None if port is None else server_answers("127.0.0.1", port, "http", 2.0)

    def _expires(self, name: str, owner: str, machine: str) -> float | bool | None:
        """Return when a lab is deleted; False where it is not, and None where that cannot be told."""
        group, schedule = expiry.group_name(owner, name), expiry.schedule_name(expiry.DELETE, machine)
        try:
            found = self.account.clients["scheduler"].get_schedule(GroupName=group, Name=schedule)
        except AWS_ERRORS as error:
            return False if code_of(error) == expiry.ABSENT else None
        return expiry.time_of(found) or False

    def _prices(self, pool: ThreadPoolExecutor, names: t.Collection[str]) -> cost.Prices:
        """Return prices as AWS tells them where it does in time, else as the table has them."""
        asked = {name: pool.submit(self._price, cost.type_filters(name, self.region), "Hrs") for name in names}
        disk = pool.submit(self._price, cost.disk_filters(self.region), "GB-Mo")
        by_aws = cost.Prices({name: answer.result() for name, answer in asked.items()}, disk.result(), None)
        return cost.joined(by_aws, cost.from_table(self.prices, self.region, names))

    def _price(self, filters: t.Mapping[str, str], unit: str) -> cost.Price | None:
        try:
            return self.account.price(filters, unit)
        except (*AWS_ERRORS, KeyError, TypeError, ValueError):
            return None
