# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The validated settings of a bucket's mount."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._common.errors import LabError
from .._common.humanize import parse_size

ENDPOINT = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(/[A-Za-z0-9._~/-]*)?")
# Those of AWS have small letters, and other servers have names of their own.
REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")


@dataclass(frozen=True)
class MountSpec:
    """A bucket and its settings, without secrets."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-west-2"
    anonymous: bool = True
    read_only: bool = True
    cache: str = ""
    cache_max: int = 0

    @property
    def aws(self) -> bool:
        """Whether the bucket is at Amazon."""
        return not self.endpoint

    @property
    def path_style(self) -> bool:
        """Whether the bucket is in the URL's path: mirrors have no host name per bucket, and a dot breaks TLS."""
        return not self.aws or "." in self.bucket


def make_spec(values: Mapping[str, Any]) -> MountSpec:
    """Validate settings, and refuse unknown ones."""
    known = set(MountSpec.__dataclass_fields__)
    unknown = sorted(set(values) - known)
    if unknown:
        raise _bad("spec", ", ".join(unknown), "is not known", f"the known settings are: {', '.join(sorted(known))}")
    text = {name: str(values.get(name) or "").strip() for name in ("bucket", "prefix", "endpoint", "region", "cache")}
    cache_max = values.get("cache_max") or ""
    spec = MountSpec(
        bucket=text["bucket"],
        prefix=text["prefix"].strip("/"),
        endpoint=text["endpoint"].rstrip("/"),
        region=text["region"] or "us-west-2",
        anonymous=bool(values.get("anonymous", True)),
        read_only=bool(values.get("read_only", True)),
        cache=posixpath.normpath(text["cache"]) if text["cache"] else "",
        cache_max=_bytes(str(cache_max)) if cache_max else 0,
    )
    _check(spec)
    return spec


def _check(spec: MountSpec) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", spec.bucket):
        raise _bad("bucket", spec.bucket, "is no bucket name", "give the name alone, such as desidata, without s3://")
    if not is_prefix(spec.prefix):
        raise _bad("prefix", spec.prefix, "is no folder inside a bucket", "give it as dr1/spectro, or leave it empty")
    if "@" in spec.endpoint:
        # Do not repeat the value: it holds a secret.
        raise LabError(
            "The endpoint is not usable.",
            "It holds a user name or password, and those would end up in process lists.",
            "Give the address alone, and put keys into the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY).",
        )
    if spec.endpoint and not ENDPOINT.fullmatch(spec.endpoint):
        raise _bad("endpoint", spec.endpoint, "is no S3 address", "give it as http://127.0.0.1:8333, or empty for AWS")
    if not REGION.fullmatch(spec.region) or (spec.aws and spec.region != spec.region.lower()):
        raise _bad("region", spec.region, "is no region", "give it as us-west-2")
    if spec.cache and (not spec.cache.startswith("/") or spec.cache == "/" or _odd(spec.cache)):
        raise _bad("cache", spec.cache, "is no folder for a cache", "give an absolute path of a folder of its own")


def is_prefix(text: str) -> bool:
    """Return whether this can be a folder inside a bucket, also with slashes around it."""
    prefix = text.strip("/")
    return not _odd(prefix) and ".." not in prefix.split("/") and "//" not in prefix


_AT_AMAZON = re.compile(
    r"(?:(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.)?s3(?:[.-](?:dualstack\.)?(?P<region>[a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?"
)


def settings_of_address(address: str, bucket: str) -> list[str]:
    """Return the settings for an address with a bucket's name in it, such as people copy; none without one.

    ``bucket`` is the one that is to be read, which a server's own name may begin with.
    """
    scheme, _, rest = address.partition("://")
    place, _, path = rest.partition("/")
    first, _, below = path.strip("/").partition("/")
    amazon = _AT_AMAZON.fullmatch(place.lower())
    if scheme == "s3":
        named = {"lab_bucket": place, "lab_prefix": path.strip("/")}
    elif amazon:
        if not amazon["bucket"] and not first:
            return []
        own = amazon["bucket"] is not None
        named = {"lab_bucket": amazon["bucket"] or first, "lab_bucket_region": amazon["region"] or ""}
        named["lab_prefix"] = path.strip("/") if own else below
    elif place.lower().startswith(f"{bucket}."):
        named = {"lab_endpoint": f"{scheme}://{place[len(bucket) + 1 :]}", "lab_prefix": path.strip("/")}
        named["lab_bucket"] = bucket
    elif bucket in path.split("/"):
        above, _, below = path.strip("/").partition(bucket)
        named = {"lab_endpoint": f"{scheme}://{place}/{above}".rstrip("/"), "lab_prefix": below.strip("/")}
        named["lab_bucket"] = bucket
    else:
        return []
    return [f"-e {name}={value}" for name, value in sorted(named.items()) if value]


def check_path(path: str, spec_cache: str = "") -> str:
    """Return the normalized mountpoint."""
    clean = posixpath.normpath(path) if path.startswith("/") else path
    if not clean.startswith("/") or clean.strip("/") == "" or _odd(clean):
        raise _bad(
            "path", path, "is no place for a mount", "give the absolute path of a folder that does not exist yet"
        )
    if spec_cache and (spec_cache + "/").startswith(clean + "/"):
        raise _bad("cache", spec_cache, "lies inside the mount", "give a folder outside of it")
    return clean.replace("//", "/")


def _odd(path: str) -> bool:
    return any(ord(letter) < 32 for letter in path)


def _bytes(cache_max: str) -> int:
    try:
        return parse_size(cache_max)
    except ValueError:
        do = "give a number with a unit, such as 20GiB, or leave it empty for no limit"
        raise _bad("cache_max", cache_max, "is no size", do) from None


def _bad(name: str, value: str, problem: str, do: str) -> LabError:
    return LabError(f"The mount's {name} is not usable.", f'"{value}" {problem}.', f"{do[0].upper()}{do[1:]}.")


def fingerprint(parts: list[str]) -> str:
    """Return a short, stable hash of words."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def mount_name(path: str) -> str:
    """Return a readable, unique name for a mountpoint and its unit."""
    directory, base = posixpath.split(path)
    readable = posixpath.basename(directory) if base.startswith(".") else base
    slug = re.sub(r"[^A-Za-z0-9]+", "-", readable).strip("-") or "bucket"
    return f"{slug[:40]}-{hashlib.sha256(path.encode(errors='surrogateescape')).hexdigest()[:6]}"
