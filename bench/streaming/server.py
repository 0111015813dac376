# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The S3 server of the measurements: SeaweedFS on the loopback, filled once and kept for the next run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from types import TracebackType

import boto3
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config

BUCKET = "desidata"
# Large files come to S3 in parts. Of a file that was stored in one piece SeaweedFS takes 6 ms of the processor for each
# question for a few bytes, of one in parts half a millisecond, which is nearer to S3.
PART = 5 << 20
# Without a cache it reads a chunk of megabytes for each question for a few bytes, which no real S3 does.
OPTIONS = (
    *("-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.peers=none"),
    *("-master.telemetry=false", "-master.volumeSizeLimitMB=1024", "-volume.max=64", "-filer", "-s3", "-s3.iam=false"),
    *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.cacheCapacityMB=4000"),
)
PARTS = ("s3", "master", "volume", "filer")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Server:
    """An S3 server whose data lie in a folder."""

    def __init__(self, folder: Path, program: str = "weed", port: int = 0) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        numbers = free_ports(2 * len(PARTS))
        ports = {part: numbers[index] for index, part in enumerate(PARTS)}
        ports["s3"] = port or ports["s3"]
        options = [f"-{part}.port={port}" for part, port in ports.items()]
        options += [f"-{part}.port.grpc={numbers[len(PARTS) + index]}" for index, part in enumerate(PARTS)]
        self.port = ports["s3"]
        self._sockets = [f"/tmp/seaweedfs-{part}-{ports[part]}.sock" for part in PARTS]  # noqa: S108 - weed's own choice
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [shutil.which(program) or program, *OPTIONS, f"-dir={folder}", *options],
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                put(self.port, f"/{BUCKET}", b"")
                put(self.port, f"/{BUCKET}/.ready", b"ready")
            except (OSError, RuntimeError):
                time.sleep(0.2)
                continue
            return
        raise RuntimeError(f"the S3 server did not start: {(self.folder / 'log').read_text()[-500:]}")

    def close(self) -> None:
        # Asked to end in good order it may take its time; all that counts is on disk.
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for name in self._sockets:
            Path(name).unlink(missing_ok=True)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def fill(self, files: Iterable[tuple[str, Callable[[], bytes]]], threads: int = 4) -> None:
        """Store files, each made only when it is its turn."""
        anonymous = Config(signature_version=UNSIGNED, s3={"addressing_style": "path"})
        client = boto3.client("s3", "us-west-2", endpoint_url=self.endpoint, config=anonymous)
        in_parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)

        def store(file: tuple[str, Callable[[], bytes]]) -> None:
            client.upload_fileobj(BytesIO(file[1]()), BUCKET, file[0], Config=in_parts)

        with ThreadPoolExecutor(threads) as pool:
            for done in pool.map(store, files):
                assert done is None


def put(port: int, path: str, data: bytes) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("PUT", path, body=data)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 409):
            raise RuntimeError(f"the S3 server answered {answer.status} to {path}")
    finally:
        connection.close()
