# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retire workers: they take no more tasks, end those that they have, and hand on their results. SECONDS NAME..."""

import sys

# Before anything is imported: modules of the working directory are anybody's. Isolated mode (-I) would leave out the
# person's own, too, among which Dask may be.
sys.path[:] = filter(None, sys.path)

import signal  # noqa: E402
import time  # noqa: E402

from dask.distributed import Client, Scheduler  # noqa: E402

deadline, names = time.monotonic() + float(sys.argv[1]), sys.argv[2:]


# At which the workers tell what they execute.
HEARTBEAT_SECONDS = 1


# A worker that hangs must not keep whoever waits for it.
signal.alarm(int(float(sys.argv[1])) + 40)


def busy(dask_scheduler: Scheduler) -> bool:
    return any(worker.executing for worker in dask_scheduler.workers.values() if worker.name in names)


def retire(client: Client) -> None:
    # Without ending the processes: Docker would start their containers again.
    client.retire_workers(names=names, close_workers=False, remove=False)


with Client(timeout="20s") as client:
    retire(client)
    time.sleep(HEARTBEAT_SECONDS)
    while client.run_on_scheduler(busy) and time.monotonic() < deadline:
        time.sleep(0.2)
    # What they had begun has results by now. What waits on them begins on others when they go.
    retire(client)
