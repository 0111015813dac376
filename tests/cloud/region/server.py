# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The region put together: rooms, threads and the server in front of them."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import docker
from moto.moto_api._internal import moto_api_backend
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from region import bucket, catalog, deaths, hosts, leftovers, moto_repairs, people, silence
from region.addresses import Addresses
from region.calls import Calls
from region.claim import claim, unclaimed
from region.control import Control
from region.faults import Faults
from region.firewall import Firewall
from region.forwarders import Forwarders
from region.gate import Gate
from region.launches import Launches
from region.life import Life, instances
from region.machines import Machines
from region.seeds import Seeds
from region.silence import Silence
from region.words import AWS_REGION, REGION_LABEL, TEST_LABEL


class Region:
    def __init__(self, port: int = 0) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._engine = docker.from_env(timeout=120)
        # First of all, for it may be taken.
        self._socket = socket.create_server(("127.0.0.1", port))
        # What regions have left that were killed; their numbers are free again.
        for dead in unclaimed():
            leftovers.remove(self._engine, dead.number)
            silence.remove(dead.number)
            dead.release()
        self._claim = claim()
        self._life: Life | None = None
        try:
            self._put_together()
        except BaseException:
            self._remove()
            raise

    def _put_together(self) -> None:
        images = hosts.build()
        labels = {TEST_LABEL: "1", REGION_LABEL: str(self._claim.number)}
        network = self._engine.networks.create(self._claim.name, driver="bridge", labels=labels)
        seeds = Seeds(self._engine, self._claim)
        seeds.prepare(images["amazon_machine"])
        self._bucket = bucket.run(self._engine, self._claim, network.name)
        self._machines = Machines(self._engine, self._claim, network.name, seeds)
        self._faults, self._calls = Faults(), Calls()
        self._life = Life(self._machines, images, self._faults)
        self._firewall = Firewall(self._life.reached, Forwarders(), Silence(self._claim.number), self._faults)
        catalog.install()
        moto_repairs.install()
        Launches(self._life, self._faults, Addresses(self._claim.number)).install()
        people.settle()
        moto_repairs.connect_default_vpc()
        control = Control(
            self._calls, self._faults, self.about, self.machines, changed=self._firewall.look, reset=self.reset
        )
        moto = DomainDispatcherApplication(create_backend_app)
        gate = Gate(moto, control, self._calls, self._faults, changed=self._firewall.look)
        host, port = self._socket.getsockname()
        self._server: BaseWSGIServer = make_server(
            host, port, gate, threaded=True, request_handler=MotoRequestHandler, fd=self._socket.fileno()
        )

    def serve(self, ready: Callable[[dict[str, Any]], None]) -> None:
        """Serve until somebody calls end; tell where, when one may call."""
        threading.Thread(target=self._firewall.keep, name="firewall", daemon=True).start()
        watch = (self._engine, self._claim.number, self._life.died)
        threading.Thread(target=deaths.watch, args=watch, name="deaths", daemon=True).start()
        try:
            ready(self.about())
            self._server.serve_forever()
        finally:
            self._remove()

    def end(self) -> None:
        """Let serve return. Not to be called by the thread that serves."""
        self._server.shutdown()

    def _remove(self) -> None:
        if self._life is not None:
            self._life.close()
        leftovers.remove(self._engine, self._claim.number)
        silence.remove(self._claim.number)
        self._claim.release()

    def about(self) -> dict[str, Any]:
        """Return what a caller wants to know first."""
        endpoint = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        return {
            "name": self._claim.name,
            "pid": os.getpid(),
            "endpoint": endpoint,
            "address_service": f"{endpoint}/_region/address",
            "bucket_endpoint": self._bucket,
            "environment": people.environment(endpoint),
            "region": AWS_REGION,
        }

    def machines(self) -> list[dict[str, Any]]:
        """Return the machines that there are, with the containers that they are."""
        return [
            {
                "instance": instance.id,
                "state": instance.state,
                "public": instance.public_ip,
                "container": self._machines.name(instance.id),
                "up": self._machines.runs(instance.id),
            }
            for instance in instances()
            if instance.state != "terminated"
        ]

    def reset(self) -> None:
        """Let everything be as it was in the beginning."""
        for instance in instances():
            instance.terminate()
        moto_api_backend.reset()
        people.settle()
        moto_repairs.connect_default_vpc()
        self._faults.remove()
        self._calls.forget()
