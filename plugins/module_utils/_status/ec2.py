# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of labs on EC2, queried concurrently from AWS and from the instances."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from .._aws import pricing
from .._aws.account import Account
from .._aws.errors import botocore_errors, code_of
from .._aws.tags import NAME_TAG, OWNER_TAG, Caller, caller_of, is_ours, is_worker, tags_of
from .._common.errors import LabError
from .._common.humanize import amount, parse_time
from .._common.text import name_option
from .._dask.scheduler import ROLE as SCHEDULER
from .._ec2 import expiry
from .._ec2.instance import root_disk
from .._ec2.record import LabRecord, endpoint_of, read_for, read_or_none
from .._ec2.resources import lab_rows
from .._ec2.run_instances import RUNS, state_of
from .._lab.labels import NAME, ROLE, lab_row, labels_of
from .._lab.probe import server_answers
from . import remote_probe
from .costs import Ran, costs
from .document import coming, notes_of_look, watched, whole, why_stopped
from .regions import Known

TAGGED: list[dict[str, t.Any]] = [{"Name": "tag-key", "Values": [NAME_TAG]}]
# Instances, and queries about each.
WORKERS = 64
NO_PRICES = pricing.Prices({}, None, None)

Rows = t.List[t.Dict[str, t.Any]]  # noqa: UP006 - evaluated by Python 3.9, too


class Region:
    """The labs of one region. ``account`` has clients for ec2, sts, scheduler and pricing."""

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
        self.caller = Caller("", "", "")

    def labs(self) -> Rows:
        """Return the rows of all labs of the caller."""
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            caller = pool.submit(self.account.clients["sts"].get_caller_identity)
            disks = pool.submit(self._disks)
            found = self.account.instances(TAGGED)
            who = self.caller = caller_of(caller.result())
            # A lab that was made here with other credentials of the same account is its maker's.
            makers = {name: made.owner for name, made in self._records() if isinstance(made, LabRecord)}
            ours = [
                one
                for one in found
                for name in [tags_of(one).get(NAME_TAG, "")]
                if any(is_ours(one, name, owner) for owner in (who.owner, who.former, makers.get(name, "")))
            ]
            instances = {one["InstanceId"]: one for one in ours if state_of(one) != "terminated" and not is_worker(one)}
            workers: dict[tuple[str, str], list[t.Any]] = {}
            for one in ours:
                if is_worker(one) and state_of(one) in RUNS:
                    tags = tags_of(one)
                    workers.setdefault((tags[NAME_TAG], tags[OWNER_TAG]), []).append(one)
            rows = lab_rows(instances.values(), self.region)
            asked = {row["id"]: self._about(pool, row, instances[row["id"]]) for row in rows}
            types = {row["type"] for row in rows} | {one["InstanceType"] for some in workers.values() for one in some}
            prices = self._prices(types) if rows else None
            sizes, now = disks.result(), self.clock()
            return [
                status_row(
                    row,
                    instances[row["id"]],
                    Answers(
                        **{name: answer.result() for name, answer in asked[row["id"]].items()},
                        disk_gib=sizes.get(root_disk(instances[row["id"]])),
                        prices=prices,
                        tunnel_port=self._tunnel(row),
                        directory=self.known.get((self.region, row["name"])),
                        workers=workers.get((row["name"], row["owner"]), ()),
                        sizes=sizes,
                        recorded=self._recorded(row["name"]),
                    ),
                    now,
                )
                for row in rows
            ]

    def of_others(self) -> list[str]:
        """Return sentences on labs that others made from this computer, which the caller does not see."""
        refused = [(name, found) for name, found in self._records() if isinstance(found, LabError)]
        return [
            f"Lab {name} in {self.region} cannot be seen. {error.why} To see it: {error.do.partition('. ')[0]}."
            for name, error in refused
        ]

    def _records(self) -> t.Iterator[tuple[str, LabRecord | LabError | None]]:
        """Return what is recorded of each lab of the region, or why the caller cannot see it, by name."""
        endpoint = endpoint_of(self.account.clients["sts"])
        for (region, name), directory in sorted(self.known.items()):
            if region == self.region:
                try:
                    yield name, read_for(str(directory), self.caller, region, endpoint)
                except LabError as error:
                    yield name, error

    def _disks(self) -> dict[str, int]:
        """Return volume sizes by id; none without permission."""
        try:
            found = self.account.pages("describe_volumes", "Volumes", TAGGED)
        except botocore_errors():
            return {}
        return {str(disk["VolumeId"]): int(disk.get("Size") or 0) for disk in found}

    def _about(self, pool: ThreadPoolExecutor, row: dict[str, t.Any], instance: t.Any) -> dict[str, Future]:  # noqa: ANN401 - of EC2
        nothing: Future[None] = Future()
        nothing.set_result(None)
        directory, owner = self.known.get((self.region, row["name"])), tags_of(instance)[OWNER_TAG]
        reachable = row["state"] == "running" and directory is not None and row["address"]
        return {
            "probe": pool.submit(self._probe, row, directory) if reachable and directory else nothing,
            "server": pool.submit(self._server_answers, row) if row["state"] == "running" else nothing,
            "expires": pool.submit(self._expires, row["name"], owner, instance["InstanceId"]),
        }

    def _probe(self, row: t.Mapping[str, t.Any], directory: Path) -> dict[str, t.Any] | None:
        host, port = f"desi-{row['name']}", row["port"] or 8888
        scheduler = f"desi-lab-{row['name']}-{SCHEDULER}"
        return remote_probe.ask(directory / "ssh_config", host, row["address"], port, scheduler, self.program)

    def _recorded(self, name: str) -> int:
        """Return how many workers a lab was last given from this computer."""
        directory = self.known.get((self.region, name))
        record = read_or_none(str(directory or ""))
        return (record.workers if record else None) or 0

    def _tunnel(self, row: t.Mapping[str, t.Any]) -> int | None:
        return self.tunnels.get(f"{self.region}/{row['name']}")

    def _server_answers(self, row: t.Mapping[str, t.Any]) -> bool | None:
        """Return whether the server answers from here; None without access at the moment."""
        if row["access"] in ("direct", "https") and row["address"] and row["port"]:
            scheme = "https" if row["access"] == "https" else "http"
            return server_answers(row["address"], row["port"], scheme, 2.0)
        port = self._tunnel(row)
        return None if port is None else server_answers("127.0.0.1", port, "http", 2.0)

    def _expires(self, name: str, owner: str, instance: str) -> float | bool | None:
        """Return when a lab expires; False for never, None if unknown."""
        group, schedule = expiry.group_name(owner, name), expiry.schedule_name(expiry.DELETE, instance)
        try:
            found = self.account.clients["scheduler"].get_schedule(GroupName=group, Name=schedule)
        except botocore_errors() as error:
            return False if code_of(error) == expiry.ABSENT else None
        return expiry.time_of(found) or False

    def _prices(self, names: t.Collection[str]) -> pricing.Prices:
        """Return prices of the Pricing API, or else of the table."""
        questions = {name: (lambda name=name: self.account.type_price(name)) for name in names}
        answers = self.account.query({**questions, "disk": self.account.disk_price}, may_lack={*names, "disk"})
        by_aws = pricing.Prices({name: answers.get(name) for name in names}, answers.get("disk"), None)
        return pricing.joined(by_aws, pricing.from_table(self.prices, self.region, names))


class Answers(t.NamedTuple):
    """The answers about one lab; None is not asked, or not answered."""

    probe: t.Mapping[str, t.Any] | None
    server: bool | None
    expires: float | bool | None
    disk_gib: int | None
    prices: pricing.Prices | None
    tunnel_port: int | None
    directory: Path | None
    workers: t.Sequence[t.Mapping[str, t.Any]] = ()
    recorded: int = 0
    # Of disks, by id.
    sizes: t.Mapping[str, int] = {}


def status_row(
    row: t.Mapping[str, t.Any], instance: t.Mapping[str, t.Any], answers: Answers, now: float
) -> dict[str, t.Any]:
    """Return the complete row of a lab."""
    lab = whole(row)
    runs, region = lab["state"] in RUNS, lab["where"].rpartition(" ")[2]
    lab.update(region=region, disk_gib=answers.disk_gib)
    watch = (answers.probe or {}).get("watch")
    expires = None if isinstance(answers.expires, bool) else answers.expires
    lab["expires"] = None if answers.expires is None else answers.expires is not False
    lab["next"] = coming(watch, expires, runs, now)
    lab["notes"] += why_stopped(instance, lab["since"], now)
    if answers.prices is not None:
        price = _cost(lab["type"], answers.disk_gib, answers.prices)
        lab.update(costs(ran(instance, lab["since"], runs), price, lab["market"] == "spot", now))
        _add_workers(lab, answers, now)
    lab["workers"] = len(answers.workers)
    if lab["state"] == "running":
        _add_running(lab, answers, watch, now)
    return lab


def _cost(name: str, disk_gib: int | None, prices: pricing.Prices) -> pricing.Cost:
    """Return the cost of an instance, which is unknown where the size of its disk is."""
    found = pricing.cost_of(name, disk_gib or 0, prices)
    return found._replace(hour=None, month_stopped=None) if disk_gib is None else found


def _add_workers(lab: dict[str, t.Any], answers: Answers, now: float) -> None:
    """Add what the machines of a lab's workers cost, which is unknown where one price is."""
    for worker in answers.workers:
        price = _cost(str(worker["InstanceType"]), answers.sizes.get(root_disk(worker)), answers.prices or NO_PRICES)
        each = costs(ran(worker, "", True), price, True, now)
        for name in ("usd_hour", "usd_so_far", "usd_month"):
            known = lab[name] is not None and each[name] is not None
            lab[name] = round(lab[name] + each[name], 4 if name == "usd_hour" else 2) if known else None


def _add_running(lab: dict[str, t.Any], answers: Answers, watch: t.Any, now: float) -> None:  # noqa: ANN401 - JSON
    """Add what is known of a running instance."""
    probe = answers.probe or {}
    began = parse_time(lab["since"])
    up = probe.get("uptime")
    lab["uptime_seconds"] = round(up) if up is not None else None if began is None else max(0, round(now - began))
    lab["reached"] = answers.probe is not None if answers.directory is not None else None
    lab["tunnel_open"] = answers.tunnel_port is not None if lab["access"] == "tunnel" else None
    lab["server_answers"] = answers.server if answers.server is not None else probe.get("server")
    lab["dask"] = probe.get("dask")
    server = server_of(probe, lab["name"])
    if server is not None:
        seen = lab_row(server, None, None, probe.get("images") or {})
        lab.update({key: seen[key] for key in ("image", "image_newer", "data", "mount", "folder")})
        lab["mount_answers"] = (probe.get("mounts") or {}).get(seen["mount"]) if seen["mount"] else None
    watching = watched(watch, now)
    notes = watching.pop("notes", [])
    lab.update(watching)
    if "refused" in probe:
        notes.append(
            f"What its machine says is refused: {probe['refused']}. If it stays so, somebody else may control it."
        )
    elif lab["reached"] is False:
        notes.append("Its machine does not answer over SSH.")
    elif lab["reached"] is None:
        notes.append("It was made from another computer, so its machine was not asked.")
    elif not watching:
        notes.append("Nothing stops its machine by itself: it runs, and costs, until somebody stops it.")
    if answers.recorded > lab["workers"]:
        given, there = amount(answers.recorded, "machine"), lab["workers"] or "none"
        start = f"./lab start{name_option(lab['name'])}"
        notes.append(f"It was given {given} of Dask workers and has {there}: {start} makes what is missing.")
    lab["notes"] += [*notes, *notes_of_look(lab)]


def server_of(probe: t.Mapping[str, t.Any], name: str) -> t.Mapping[str, t.Any] | None:
    """Return the server container of a lab on its instance."""
    ours = ((item, labels_of(item)) for item in probe.get("containers") or [])
    return next((item for item, tags in ours if tags.get(NAME) == name and tags.get(ROLE) == "server"), None)


def ran(instance: t.Mapping[str, t.Any], since: str, runs: bool) -> Ran:
    """Return when an instance was launched, started and stopped, as far as AWS tells."""
    mappings = instance.get("BlockDeviceMappings") or []
    made = [moment for row in mappings for moment in [_seconds((row.get("Ebs") or {}).get("AttachTime"))] if moment]
    return Ran(
        min(made, default=None),
        _seconds(instance.get("LaunchTime")),
        None if runs else parse_time(since),
        runs,
    )


def _seconds(value: object) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else parse_time(str(value or ""))
