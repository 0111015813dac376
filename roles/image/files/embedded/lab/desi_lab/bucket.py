# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bucket, mounted from inside the container: only where nobody mounted it outside and the container may do so."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from desi_lab import person
from desi_lab.errors import NO_DATA, StartError

LOG = Path("/var/log/desi-lab-mount.log")
TIMED_OUT = 124
LIST_SECONDS = 40
MOUNT_SECONDS = 30

REASONS = (
    (r"no such host|server misbehaving", "The name {where} cannot be resolved from inside the container."),
    (r"connection refused", "Nothing answers at {where}."),
    (r"timeout|timed out|deadline exceeded|network is unreachable|no route", "{where} cannot be reached."),
    (r"certificate|tls:", "The certificate of {where} is not trusted here."),
    (r"NoSuchBucket|directory not found", "There is no bucket {bucket!r} at {where}, or no such prefix in it."),
    (r"AccessDenied|Forbidden|\b403\b", "{where} does not let anyone read the bucket {bucket!r}."),
    (r"XML|syntax error|EOF|deserialization|unexpected", "What answers at {where} is not an S3 server."),
)


@dataclass(frozen=True)
class Bucket:
    """Which bucket, and where."""

    name: str
    prefix: str
    endpoint: str
    region: str

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Bucket:
        """The bucket that the environment names, the public one of DESI if it names none."""
        return cls(
            name=env.get("DESI_S3_BUCKET") or "desidata",
            prefix=(env.get("DESI_S3_PREFIX") or "").strip("/"),
            endpoint=env.get("DESI_S3_ENDPOINT") or "",
            region=env.get("DESI_S3_REGION") or "us-west-2",
        )

    @property
    def where(self) -> str:
        """The server's address, without any password that someone wrote into it."""
        return re.sub(r"//.*@", "//", self.endpoint) or f"s3.{self.region}.amazonaws.com"

    @property
    def remote(self) -> str:
        """How rclone names it."""
        return f":s3:{self.name}/{self.prefix}".rstrip("/")

    def options(self) -> list[str]:
        """Anonymous, from this server, with no configuration file."""
        server = ["Other", "--s3-endpoint", self.endpoint] if self.endpoint else ["AWS"]
        anonymous = ["--s3-env-auth=false", "--s3-no-check-bucket"]
        return ["--config", "", "--s3-provider", *server, "--s3-region", self.region, *anonymous]


def list_command(bucket: Bucket) -> list[str]:
    """One short listing: the cheapest proof that the bucket can be read."""
    patience = ["--contimeout", "10s", "--timeout", "15s", "--retries", "1", "--low-level-retries", "2"]
    return ["rclone", "lsf", "--max-depth", "1", *patience, *bucket.options(), bucket.remote]


def mount_command(bucket: Bucket, place: Path, cache: Path, cache_max: str) -> list[str]:
    """The mount: read-only, for every user, with what was read kept on disk. Released data do not change."""
    view = ["--read-only", "--allow-other", "--dir-perms", "0555", "--file-perms", "0444"]
    keep = ["--vfs-cache-mode", "full", "--cache-dir", os.fspath(cache), "--vfs-cache-max-age", "9999h"]
    limit = ["--vfs-cache-max-size", cache_max] if cache_max else []
    fast = ["--dir-cache-time", "24h", "--attr-timeout", "1h", "--no-modtime", "--vfs-read-chunk-size", "8M"]
    wait = ["--daemon", "--daemon-wait", f"{MOUNT_SECONDS}s", "--log-file", os.fspath(LOG)]
    return ["rclone", "mount", *view, *keep, *limit, *fast, *wait, *bucket.options(), bucket.remote, os.fspath(place)]


def reason(said: str, bucket: Bucket) -> str:
    """Why rclone failed, as a sentence."""
    for pattern, sentence in REASONS:
        if re.search(pattern, said, re.IGNORECASE):
            return sentence.format(where=bucket.where, bucket=bucket.name)
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return re.sub(r"//\S*@", "//", lines[-1].strip())[:300] if lines else "It did not say why."


def failure(bucket: Bucket, why: str, what: str = "could not be read") -> StartError:
    """The bucket's failure, with the ways on."""
    return StartError(
        NO_DATA,
        f"The bucket {bucket.name} {what}.",
        why,
        "check the network and DESI_S3_ENDPOINT, DESI_S3_BUCKET, DESI_S3_PREFIX, or bind a local copy of the data",
    )


def run(command: list[str], seconds: float) -> tuple[int, str, str]:
    """Run it, never longer than that; what it says goes to files, since a pipe would wait for the daemon it leaves."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            code = subprocess.run(command, stdout=out, stderr=err, timeout=seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            code = TIMED_OUT
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode("utf-8", errors="replace"))
    return code, said[0], said[1] + ("\ntimed out" if code == TIMED_OUT else "")


def allowed(place: Path) -> None:
    """Say plainly when there are no data and no right to fetch any."""
    if os.geteuid() == 0 and person.has_capabilities(person.CAP_SYS_ADMIN) and Path("/dev/fuse").exists():
        return
    raise StartError(
        NO_DATA,
        f"There are no data at {place}.",
        "The folder is empty, and this container has no right to mount the bucket there itself.",
        f"bind a folder with DESI data (--volume FOLDER:{place}:ro), or run as root with --cap-add SYS_ADMIN "
        "--device /dev/fuse --security-opt apparmor:unconfined",
    )


def mount(env: Mapping[str, str], place: Path) -> Bucket:
    """Mount the bucket at that place, or raise StartError."""
    allowed(place)
    bucket = Bucket.from_environment(env)
    code, listing, said = run(list_command(bucket), LIST_SECONDS)
    if code:
        raise failure(bucket, reason(said, bucket))
    if not listing.strip():
        raise failure(bucket, f"It is empty at {bucket.where} (prefix {bucket.prefix or 'none'}).", "holds no data")
    cache = Path(env.get("DESI_DATA_CACHE") or "/var/cache/desidata")
    command = mount_command(bucket, place, cache, env.get("DESI_DATA_CACHE_MAX") or "")
    code, _out, said = run(command, MOUNT_SECONDS + 10)
    if code or not place.is_mount():
        log = LOG.read_text(encoding="utf-8", errors="replace") if LOG.exists() else ""
        raise failure(bucket, reason(said + log, bucket), "could not be mounted")
    return bucket
