# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan the containers of a lab's Dask scheduler and workers."""

from __future__ import annotations

import typing as t

from ..module_utils._common.errors import LabError
from ..module_utils._common.names import BadAnswer
from ..plugin_utils._controller_action import ControllerAction
from ..plugin_utils._workers import (
    HOST,
    PORT,
    WITHOUT_NANNY,
    Inside,
    dask_config,
    dask_container,
    is_embedded,
    new_identity,
    parse_inside,
    remote_worker,
    scheduler_command,
    surplus_workers,
    user_of,
    versions_error,
    worker_command,
    worker_names,
)


class ActionModule(ControllerAction):
    """Asks nobody."""

    def answer(self, args: dict[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the plan, or why the lab can have no workers."""
        try:
            image, server = (_inside(args["image"], args[name]) for name in ("image_inside", "server_inside"))
            error = versions_error(args["image"], server.versions, image.versions) if args["image_inside"] else None
        except LabError as fault:
            error = fault
        found: dict[str, t.Any] = {
            "errors": [error.as_result()] if error else [],
            "surplus": surplus_workers(args["containers"], args["workers"]),
        }
        if args["server"] and not error:
            made = args["server"]
            found["scheduler"] = {
                "name": f"desi-lab-{args['name']}-{HOST}",
                "hostname": HOST,
                "ports": [f"{args['published']}:{PORT}:{PORT}"] if args["published"] else [],
                **dask_container(made, server, scheduler_command(), writable=True),
            }
            if args["machine"]:
                found["workers"] = [_remote(args, made, server, number) for number in range(1, args["workers"] + 1)]
            else:
                found["workers"] = [_beside(args, made, server, worker) for worker in worker_names(args["workers"])]
            found["identity"], found["fingerprint"] = (
                new_identity(args["name"]) if args["new_certificate"] else ("", "")
            )
            found["group"] = user_of(made)[1]
            found["config"] = dask_config(is_embedded(made), args["memory"])
        return found


def _beside(args: dict[str, t.Any], made: dict[str, t.Any], server: Inside, worker: str) -> dict[str, t.Any]:
    """Return the container of a worker beside the lab."""
    container = dask_container(made, server, worker_command(worker, args["memory"]))
    return {"name": f"desi-lab-{args['name']}-{worker}", "hostname": worker, **container}


def _remote(args: dict[str, t.Any], made: dict[str, t.Any], server: Inside, number: int) -> dict[str, t.Any]:
    """Return the container of a worker on a machine of its own."""
    worker = remote_worker(args["name"], number, args["memory"], args["machine"], args["address"])
    container = dask_container(made, server, worker.pop("command"), source=args["config"])
    return {**worker, **container, "env": {**WITHOUT_NANNY, **container["env"]}}


def _inside(image: str, answer: str) -> Inside:
    """Return a container's report of its environment; LabError for an invalid one."""
    if not answer:
        return Inside({}, {})
    try:
        return parse_inside(answer)
    except (BadAnswer, ValueError) as error:
        raise LabError(
            "The lab cannot have workers.",
            f"What Python in the image {image} answers cannot be used: {error}.",
            "Choose an image that has Python and Dask, for example -e lab_image=embedded, or leave lab_workers out.",
        ) from error
