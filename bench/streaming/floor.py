# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The floor: the same work by plain HTTP requests, as fast as the line lets them be."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from http.client import HTTPConnection
from random import Random
from threading import local
from urllib.parse import quote

from . import readers, shapes

MIB = 1 << 20
SIDE_BY_SIDE = 8
PIECE = 8 * MIB


class Direct:
    """Asks the S3 server for bytes, each thread over a connection of its own."""

    def __init__(self, port: int) -> None:
        self._port, self._own = port, local()

    def _ask(self, path: str, headers: dict[str, str]) -> bytes:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("GET", path, headers=headers)
        return connection.getresponse().read()

    def read(self, name: str, size: int, place: int) -> bytes:
        return self._ask(f"/desidata/{name}", {"Range": f"bytes={place}-{place + size - 1}"})

    def size(self, name: str) -> int:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("HEAD", f"/desidata/{name}")
        return int(connection.getresponse().headers["Content-Length"])

    @cached_property
    def coadd(self) -> int:
        """The size of the coadd, which is asked for once."""
        return self.size(shapes.COADD)

    def listing(self, prefix: str) -> list[str]:
        body = self._ask(f"/desidata?list-type=2&delimiter=%2F&prefix={quote(prefix, safe='')}", {}).decode()
        return [part.partition("</Prefix>")[0] for part in body.split("<CommonPrefixes><Prefix>")[1:]]


def _walk(direct: Direct) -> list[tuple[str, int, int]]:
    """Follow the chain of headers in blocks of 1 MiB."""
    kept: dict[int, bytes] = {}

    def read(size: int, place: int) -> bytes:
        for start, data in kept.items():
            if start <= place and place + size <= start + len(data):
                return data[place - start : place - start + size]
        kept[place] = direct.read(shapes.COADD, MIB, place)
        return kept[place][:size]

    return list(readers.walk(lambda size, place: read(size, place) if place < direct.coadd else b""))


def headers(direct: Direct) -> None:
    assert len(_walk(direct)) == shapes.HEADERS


def one_hdu(direct: Direct) -> None:
    for name, place, size in _walk(direct):
        if name == "Z_FLUX":
            assert len(direct.read(shapes.COADD, size, place)) == size


def scattered(direct: Direct) -> None:
    chance = Random(5)
    for _ in range(10):
        direct.read(shapes.COADD, 65536, chance.randrange(direct.coadd - 65536))


def _parallel(direct: Direct, names: list[str]) -> int:
    pieces = [(name, place) for name in names for place in range(0, direct.size(name), PIECE)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return sum(pool.map(lambda piece: len(direct.read(piece[0], PIECE, piece[1])), pieces))


def whole(direct: Direct) -> int:
    return _parallel(direct, [shapes.COADD])


def column(direct: Direct) -> int:
    return _parallel(direct, [shapes.CATALOG])


def readers4(direct: Direct) -> int:
    return _parallel(direct, shapes.loop_names(4))


def prefetch(direct: Direct) -> int:
    return _parallel(direct, shapes.loop_names(10))


def loop(direct: Direct) -> None:
    """Two round trips a file: one to find it, one for its first mebibyte, in which FIBERMAP is."""
    for name in shapes.loop_names(30):
        direct.listing(name.rpartition("/")[0] + "/")
        direct.read(name, MIB, 0)


def listing(direct: Direct) -> None:
    with ThreadPoolExecutor(2 * SIDE_BY_SIDE) as pool:
        programs = [program for survey in direct.listing(f"{shapes.HEALPIX}/") for program in direct.listing(survey)]
        groups = [group for program in programs for group in direct.listing(program)]
        assert sum(len(found) for found in pool.map(direct.listing, groups)) >= 1000


FLOORS = {
    "headers": headers,
    "one_hdu": one_hdu,
    "scattered": scattered,
    "whole": whole,
    "loop": loop,
    "prefetch": prefetch,
    "listing": listing,
    "readers4": readers4,
    "column": column,
    "fitsio": one_hdu,
    "astropy": one_hdu,
}


def measure(what: str, port: int) -> float:
    direct = Direct(port)
    # Known before, so that it is not part of what is measured.
    _ = direct.coadd
    began = time.perf_counter()
    FLOORS[what](direct)
    return time.perf_counter() - began
