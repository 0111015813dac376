# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan what is done with each part of a lab on its host."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ..plugin_utils._controller_action import ControllerAction
from ..plugin_utils._host_plan import (
    Goal,
    container_stays,
    dask_members,
    difference_rows,
    differences,
    host_plan,
    is_kept,
    lab_is_kept,
    lab_worker_resources,
    made_with,
    makers_hash,
    specification,
    ways_to_keep,
    worker_count,
    workers_end,
)
from ..plugin_utils._host_refusals import ignored_settings, lab_of_another, refusals

COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(ControllerAction):
    """Asks nobody."""

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        settings, host = args["settings"], args["host"]
        layout = host["layout"]
        made_from = specification(settings, host, args["user"], layout.get("binds") or [], makers_hash(COLLECTION))
        container = host["server"].get("container") or {}
        differing = differences(settings, container) if container else []
        remote = args["remote_workers"]
        workers = worker_count(settings, host, remote)
        resources = lab_worker_resources(settings, host, args["worker_memory"])
        goal = Goal(settings, made_from, args["stays"], args["update"], workers, resources.memory, remote, args["back"])
        parts = host_plan(goal, host)
        errors = refusals(goal, host, args["user"], args["worker_memory"])
        # A lab that goes on as it runs asks for nothing.
        wrong = errors if layout.get("failed") or not is_kept(parts) else []
        # Nothing else of another user's lab is this one's to know.
        wrong = lab_of_another(goal, host) or [*ignored_settings(goal, differing, parts), *wrong]
        return {
            "specification": made_from,
            "parts": [part._asdict() for part in parts],
            "kept": is_kept(parts),
            "lab_kept": lab_is_kept(parts),
            "stays": container_stays(parts),
            "workers": workers,
            "worker_containers": [
                row for role in ("scheduler", "worker") for row in dask_members(settings["name"], role, host)
            ],
            "worker_memory": resources.memory,
            "workers_end": workers_end(parts, goal, host),
            "made_with": made_with(container),
            "errors": [error.as_result() for error in wrong],
            "differences": difference_rows(differing),
            "ways_to_keep": ways_to_keep(settings["name"], differing),
        }
