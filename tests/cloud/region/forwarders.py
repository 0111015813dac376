# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Doors to machines: each listens on a public address and leads callers from the right networks to a machine."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass

Network = ipaddress.IPv4Network
# A public address and a port.
Door = tuple[str, int]


@dataclass(frozen=True)
class Way:
    """Where a door leads, and from which networks one may go through. Without an address, nobody ever answers there."""

    address: str
    networks: frozenset[Network]


class Forwarders:
    """The doors that are open, served by a thread of their own."""

    def __init__(self) -> None:
        self._ways: dict[Door, Way] = {}
        self._servers: dict[Door, asyncio.AbstractServer] = {}
        self._callers: dict[Door, set[asyncio.StreamWriter]] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="forwarders", daemon=True).start()

    def open_just(self, wanted: Mapping[Door, Way]) -> None:
        """Open these doors, and close all others. Who has gone through one stays connected while it leads there."""
        with self._lock:
            if wanted != self._ways:
                asyncio.run_coroutine_threadsafe(self._change(dict(wanted)), self._loop).result(10)

    async def _change(self, wanted: dict[Door, Way]) -> None:
        for door, way in self._ways.items():
            if door not in wanted:
                self._servers.pop(door).close()
            if door not in wanted or wanted[door].address != way.address:
                for caller in self._callers.pop(door, set()):
                    caller.transport.abort()
        self._ways = wanted
        for door in wanted.keys() - self._servers.keys():
            self._servers[door] = await asyncio.start_server(
                lambda reader, writer, door=door: self._serve(door, reader, writer), *door
            )

    async def _serve(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = self._ways.get(door)
        peer = ipaddress.IPv4Address(writer.get_extra_info("peername")[0])
        if way is None or not any(peer in network for network in way.networks):
            refuse(writer)
            return
        if not way.address:
            await self._hold(door, reader, writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(way.address, door[1])
        except OSError:
            refuse(writer)
            return
        callers = self._callers.setdefault(door, set())
        callers |= {writer, far_writer}
        try:
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            callers -= {writer, far_writer}
            for end in (writer, far_writer):
                end.close()

    async def _hold(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers = self._callers.setdefault(door, set())
        callers.add(writer)
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass
        callers.discard(writer)
        writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry all that one side says to the other side."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


def refuse(writer: asyncio.StreamWriter) -> None:
    """End a connection as one that was never accepted: by a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
