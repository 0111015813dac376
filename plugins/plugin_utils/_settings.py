# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation of the lab_* settings beyond their types, as far as it takes neither Docker nor AWS."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import math
import posixpath
import re
import typing as t
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from ..module_utils._common.errors import LabError
from ..module_utils._common.humanize import MIB, parse_size, size_text
from ..module_utils._common.names import LAB_NAME
from ..module_utils._common.redact import redact
from ..module_utils._common.text import nearest, shell_path
from ..module_utils._jupyter.errors import LONGEST_WAIT
from ..module_utils._mount.spec import ENDPOINT, is_prefix, settings_of_address
from ..module_utils._mount.spec import REGION as BUCKET_REGION
from ..module_utils._ssh.host_key import check_fingerprint
from ._images import image_source

# Names of a lab's helper containers, and of its own one while it is replaced.
RESERVED_NAME = re.compile(r"mount-.*|.*-(before|sample|scheduler|worker-[0-9]+)")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
DATA_WORDS = ("s3", "sample")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
GROUP = re.compile(r"(?!sg-| )[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,200}(?<! )")
DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.IGNORECASE)
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
ROLE = re.compile(r"(arn:aws[a-z-]*:iam::[0-9]{12}:role/([\w+=,.@/-]{1,512}/)?)?[\w+=,.@-]{1,64}", re.ASCII)
OWN_ADDRESS = "auto"
# As Ansible reads them.
YES = frozenset({"1", "1.0", "on", "t", "true", "y", "yes"})
# Below that, no Jupyter server with a kernel starts.
LEAST_MEMORY = 256 * MIB
LEAST_CACHE = 64 * MIB
LEAST_CPUS = 0.1

Check = t.Callable[[str, str], object]
"""Raises LabError for a value of a setting, whose name comes first."""


def name_errors(given: t.Iterable[str], known: t.Collection[str]) -> list[LabError]:
    """Return an error for each unknown setting, with the nearest known one."""
    return [
        _unknown(name, next(iter(nearest(name.replace("-", "_"), known)), ""))
        for name in sorted(set(given) - set(known))
    ]


def other_spellings(typed: t.Iterable[str], known: t.Collection[str]) -> set[str]:
    """Return the names that mean a setting and are written in another way; other variables may be somebody else's."""
    # No variable has a dash.
    return {name for name in typed if name.startswith("lab-") or name.lower().replace("-", "_") in known} - set(known)


def image_errors(typed: t.Mapping[str, t.Any]) -> list[LabError]:
    """Return the error of two images that were asked for at once: the one before, and one by its name."""
    if "lab_image" not in typed or str(typed.get("lab_previous", "")).lower() not in YES:
        return []
    why = "The one takes the image that the lab had before, the other one names an image."
    return [LabError("The settings lab_previous and lab_image cannot both be given.", why, "Leave one of them out.")]


def _unknown(name: str, meant: str) -> LabError:
    return LabError(
        f"There is no setting {name}.",
        f"The nearest one is {meant}." if meant else "No setting has a name like it.",
        f"Say -e {meant}=… if that is what you meant." if meant else "See the table of settings in README.md.",
    )


def check_own(typed: t.Mapping[str, t.Any], own: t.Collection[str]) -> None:
    """Refuse internal variables: setting one could redirect a run to other keys. What Ansible cut off is no setting."""
    if "_raw_params" in typed:
        raise LabError(
            f"What is given with -e is no setting: {typed['_raw_params']}",
            "It has no name, or stands behind a blank: Ansible ends a value there.",
            """Give a path with blanks as JSON: -e '{"lab_folder": "/home/ann/my data"}'.""",
        )
    for name in sorted(set(typed) & set(own)):
        raise LabError(
            f"There is no setting {name}.",
            "DESI Lab works that out itself.",
            "Leave it out; the table of settings is in README.md.",
        )


def _wrong(name: str, value: object, why: str, do: str) -> LabError:
    # What is wrong with it may be a password in it.
    return LabError(f"The setting {name}={redact(str(value))} cannot work.", why, do)


def check_lab_name(name: str, value: str) -> None:
    """Refuse a name that is invalid for Docker, in a path or in a tag."""
    do = f"Choose such a name, for example -e {name}=desi2."
    if not LAB_NAME.fullmatch(value):
        why = "A name has lower-case letters, digits and dashes, at most 40, and begins with a letter or digit."
        raise _wrong(name, value, why, do)
    if RESERVED_NAME.fullmatch(value):
        why = (
            "Names that begin with mount- or end with -before, -sample, -scheduler or -worker-1 are kept for what "
            "belongs to another lab."
        )
        raise _wrong(name, value, why, f"Choose another name, for example -e {name}=desi2.")


def check_release(value: str, data: str, releases: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
    """Refuse an unknown release, or one that is not public where the data are."""
    entry = releases.get(value.lower())
    if entry is None:
        why = f"The releases known are {', '.join(releases)}."
        raise _wrong("lab_release", value, why, "Choose one of them, for example edr.")
    if data in DATA_WORDS and not entry["public"]:
        raise _wrong(
            "lab_release",
            value,
            f"The release {value.lower()} is not public yet, so neither the bucket nor the sample has it.",
            "Choose a public release, or give the folder of your own copy with -e lab_data=/path.",
        )


def check_data(name: str, value: str, releases: t.Collection[str] = ()) -> None:
    """Refuse a data source that is neither a word nor an absolute path."""
    if value in DATA_WORDS:
        return
    if value.lower() in DATA_WORDS:
        raise _wrong(name, value, "The word has lower-case letters.", f"Write -e {name}={value.lower()}.")
    if not value:
        do = f"Leave it out to stream the public data, or give a path: -e {name}=/path."
        raise _wrong(name, value, "It is empty.", do)
    if value.lower() in releases:
        why = f"It is the name of a release, and {name} is where the data are."
        raise _wrong(name, value, why, f"Leave {name} out, and give -e lab_release={value.lower()}.")
    if re.match(r"[a-z][a-z0-9+.-]*://", value, re.IGNORECASE):
        settings = " ".join(_settings_in(value))
        do = f"Download the data, and give their folder: -e {name}=/path."
        if "lab_endpoint" in settings:
            do += f" Or stream them, if that is an S3 server: -e {name}=s3 {settings}"
        elif settings:
            do = f"Stream the bucket: -e {name}=s3 {settings}"
        raise _wrong(name, value, "It is an address, and not a folder of this computer.", do)
    _check_path(name, value, "It is neither s3, nor sample, nor an absolute path.")


def _settings_in(address: str) -> list[str]:
    """Return the settings for an address, such as people copy; none without a bucket, or if it may hold a password."""
    scheme, _colon, rest = address.partition(":")
    address = f"{scheme.lower()}:{rest}"
    if not re.match(r"(?:s3|https?)://[^@]*$", address):
        return []
    first = address.partition("://")[2].partition("/")[2].strip("/").partition("/")[0]
    # No bucket has that name.
    return settings_of_address(address, first or "/")


def check_directory(name: str, value: str) -> None:
    """Refuse a directory that Docker cannot bind; empty means the default."""
    if value:
        _check_path(name, value, "It is not an absolute path.")


def check_cache(name: str, value: str) -> None:
    """Refuse a directory that cannot be the cache's own."""
    check_directory(name, value)
    if value and posixpath.normpath(value).strip("/") == "":
        do = f"Give it a folder of its own: -e {name}=/scratch/desi-lab."
        raise _wrong(
            name, value, "It is the whole computer, and streamed data would lie among the system's folders.", do
        )


def _check_absolute(name: str, value: str, why_not: str) -> None:
    if value.startswith("/"):
        return
    if re.match(r"[A-Za-z]:", value):
        why = "It is a path of Windows, and no absolute path of this system."
        raise _wrong(name, value, why, "Run this in WSL, with the path that wslpath prints, such as /mnt/c/desi.")
    raise _wrong(name, value, why_not, f'Give the whole path: -e {name}="$(realpath {shell_path(value)})".')


def _check_path(name: str, value: str, why_not_absolute: str) -> None:
    _check_absolute(name, value, why_not_absolute)
    if re.search(r"[\x00-\x1f\x7f]", value):
        why = "A line break or another control character is in it."
        raise _wrong(name, ascii(value)[1:-1], why, "Rename the folder, or choose another.")
    if ":" in value:
        place = next(part for part in PurePosixPath(value).parts if ":" in part)
        why = "Docker cannot be given a path with a colon in it."
        raise _wrong(name, value, why, f"Rename the folder {place}, or choose another.")


def check_endpoint(name: str, value: str) -> None:
    """Refuse an endpoint that is not the URL of a server."""
    if not value:
        return
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        parts, sound = urlsplit(""), False
    if "@" in value:
        # The value is not repeated: it holds a secret, in whatever part of it a parser would see that.
        raise LabError(
            f"The setting {name} cannot work.",
            "It holds a user name or a password, and everybody who can list processes would see them.",
            f"Give the address alone, for example -e {name}=https://server.",
        )
    if not sound or not ENDPOINT.fullmatch(value):
        raise _wrong(
            name,
            value,
            "It is not the URL of an S3 server.",
            "Give it as https://server or http://server:port, or leave it out for AWS.",
        )


def check_bucket(name: str, value: str) -> None:
    """Refuse an invalid bucket name."""
    if BUCKET.fullmatch(value):
        return
    do = "Give the bare name, without s3:// and without a folder; the folder goes into lab_prefix."
    settings = _settings_in(value)
    do = f"{do.rstrip('.')}: {' '.join(settings)}" if settings else do
    why = "A bucket's name has 3 to 63 lower-case letters, digits, dots and dashes."
    raise _wrong(name, value, why, do)


def check_address(values: t.Mapping[str, t.Any]) -> None:
    """Refuse an endpoint with the name of its bucket in it, which is added to it once more."""
    endpoint = str(values.get("lab_endpoint", ""))
    settings = settings_of_address(endpoint, str(values.get("lab_bucket", "")) or "desidata")
    if not re.match(r"https?://[^@]*$", endpoint) or not settings:
        return
    amazon = not any(setting.startswith("-e lab_endpoint=") for setting in settings)
    leave = "Leave lab_endpoint out, as the bucket is at AWS, and give" if amazon else "Give its parts:"
    why = "The name of the bucket is in it, and the endpoint is the address of the server alone."
    raise _wrong("lab_endpoint", endpoint, why, f"{leave} {' '.join(settings)}")


def check_bucket_region(values: t.Mapping[str, t.Any]) -> None:
    """Refuse capital letters in a region of AWS. Other servers have names of their own."""
    value = str(values.get("lab_bucket_region", ""))
    if value != value.lower() and not values.get("lab_endpoint"):
        do = f"Write -e lab_bucket_region={value.lower()}, or name the server that has this region with lab_endpoint."
        raise _wrong("lab_bucket_region", value, "Regions of AWS have small letters.", do)


def words(value: object) -> list[str]:
    """Return a list given as one word, words separated by commas, or a list; an empty one has one empty word."""
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    return [str(entry).strip() for entry in entries or [""]]


def check_size(name: str, value: str) -> None:
    """Refuse a size that is invalid or too small."""
    if not value:
        return
    who, least, example = (
        ("cache", LEAST_CACHE, "50GiB")
        if name == "lab_cache_max"
        else ("worker" if "worker" in name else "lab", LEAST_MEMORY, "8GiB")
    )
    size = 0
    with contextlib.suppress(ValueError):
        size = parse_size(value)
    if size < least:
        why = f"A {who} needs {size_text(least)} at the least." if size else "It is not a size."
        why += " A number without a unit is one of bytes." if size and value.strip().isdigit() else ""
        raise _wrong(name, value, why, f"Give a number and a unit, for example -e {name}={example}, or leave it out.")


def check_certificate(values: t.Mapping[str, t.Any]) -> None:
    """Refuse a certificate without its key or domain, and the reverse."""
    given = {name: str(values.get(name, "")) for name in ("lab_domain", "lab_certificate", "lab_certificate_key")}
    certificate, key = given["lab_certificate"], given["lab_certificate_key"]
    if bool(certificate) != bool(key):
        missing = "lab_certificate_key" if certificate else "lab_certificate"
        raise LabError(
            f"The setting {missing} is missing.",
            "A certificate and its private key are only of use together.",
            f"Give both, with -e {missing}=/path, or neither for a certificate of our own.",
        )
    for name in ("lab_certificate", "lab_certificate_key"):
        if given[name]:
            _check_absolute(name, given[name], "It is not an absolute path.")
    if certificate and not given["lab_domain"]:
        raise LabError(
            "The setting lab_domain is missing.",
            "A certificate of your own is for a name, and the lab has to be opened by it.",
            "Say which: -e lab_domain=desi.example.org.",
        )


def check_mount_of_workers(workers: object, mount: object) -> None:
    """Refuse workers of a lab that mounts the bucket in its own container, where they cannot read it."""
    if workers and mount == "container":
        raise LabError(
            "The settings lab_workers and lab_mount=container cannot work together.",
            "A bucket that is mounted in the lab's own container is in no other container.",
            "Leave lab_mount out, or say -e lab_workers=0.",
        )


def _check(is_right: t.Callable[[str], object], why: str, do: str, or_empty: bool = False) -> Check:
    """Return a check by what is false for a wrong value, or raises ValueError. ``do`` may name the setting."""

    def check(name: str, value: str) -> None:
        with contextlib.suppress(ValueError):
            if (or_empty and not value) or is_right(value):
                return
        raise _wrong(name, value, why, do.format(name=name))

    return check


def _whole_number(allowed: range, why: str, do: str) -> Check:
    def is_right(value: str) -> bool:
        return bool(re.fullmatch(r"[0-9]{1,6}", value)) and int(value) in allowed

    return _check(is_right, why.format(most=allowed[-1]), do)


_PORT = _whole_number(
    range(1, 65536), "A port is a number from 1 to {most}.", "Choose another, for example -e {name}=8889."
)
CHECKS: dict[str, Check] = {
    "lab_name": check_lab_name,
    "lab_data": check_data,
    "lab_folder": check_directory,
    "lab_cache": check_cache,
    # Short names are valid references, so no table is needed.
    "lab_image": lambda _name, value: image_source(value, {}),
    "lab_bind": _check(
        ipaddress.ip_address,
        "It is not an IP address.",
        "Leave it out: the lab is then open to this computer alone.",
    ),
    "lab_port": _PORT,
    "lab_container_port": _PORT,
    "lab_endpoint": check_endpoint,
    "lab_bucket": check_bucket,
    "lab_bucket_region": _check(
        BUCKET_REGION.fullmatch,
        "It is not the name of a region, such as us-west-2.",
        "Give the region that the bucket is in, or leave it out for DESI's.",
    ),
    "lab_prefix": _check(
        is_prefix,
        "It is not a folder inside the bucket: it has //, .. or a control character in it.",
        "Give it as -e {name}=dr1/spectro, or leave it out.",
    ),
    "lab_cache_max": check_size,
    "lab_timeout": _whole_number(
        range(1, LONGEST_WAIT + 1),
        "It is how long to wait for the server, as a whole number of seconds from 1 to {most}.",
        "Give seconds, for example -e {name}=600 for a slow computer, or leave it out.",
    ),
    "lab_memory": check_size,
    "lab_cpus": _check(
        lambda value: not float(value) or LEAST_CPUS <= float(value) < math.inf,
        f"It is not a number of processors from {LEAST_CPUS:g} upwards, nor 0 for all of them.",
        "Give such a number, for example -e {name}=2, or leave it out.",
    ),
    # Of one computer, or of one zone at AWS.
    "lab_workers": _whole_number(
        range(257),
        "It is how many Dask workers the lab has, as a whole number from 0 to {most}.",
        "Give a number, for example -e {name}=2, or 0 for none.",
    ),
    "lab_workers_least": _whole_number(
        range(1, 257),
        "It is with how many workers on EC2 to be content, as a whole number from 1 to {most}.",
        "Give a number, for example -e {name}=1.",
    ),
    "lab_worker_type": _check(
        INSTANCE_TYPE.fullmatch,
        "It is not the name of an EC2 type, such as t2.micro.",
        "Give a type, for example -e {name}=m6i.xlarge, or leave it out for the lab's.",
        or_empty=True,
    ),
    "lab_worker_memory": check_size,
    "lab_region": _check(
        REGION.fullmatch,
        "It is not the name of an AWS region, such as us-west-2.",
        "Leave it out: the data are in us-west-2, and a machine there reads them fastest.",
    ),
    # From the smallest disk for the AMIs to the largest of gp3.
    "lab_disk_gib": _whole_number(
        range(8, 16385),
        "A disk has 8 to {most} GiB, as a whole number.",
        "Choose another size, for example -e {name}=64.",
    ),
    "lab_security_group": _check(
        GROUP.fullmatch,
        "The name of a security group has letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, and no sg- in front.",
        "Choose such a name, or leave it out: it is then called jupyter.",
    ),
    "lab_subnet": _check(
        SUBNET.fullmatch,
        "It is not the id of a subnet, such as subnet-0123456789abcdef0.",
        "Give its id, or leave it out for any subnet of the default VPC.",
        or_empty=True,
    ),
    "lab_host_key": lambda _name, value: check_fingerprint(value),
    "lab_domain": _check(
        DOMAIN.fullmatch,
        "It is not a domain name.",
        "Give the bare name, for example -e {name}=desi.example.org, without https:// and without a port.",
        or_empty=True,
    ),
    # At most a week.
    "lab_idle_minutes": _whole_number(
        range(7 * 24 * 60 + 1),
        "It is not a whole number of minutes from 0 to {most}.",
        "Give minutes, for example -e {name}=120, or 0 for a machine that does not stop for being idle.",
    ),
    # At most a year.
    "lab_max_hours": _whole_number(
        range(365 * 24 + 1),
        "It is not a whole number of hours from 0 to {most}.",
        "Give hours, for example -e {name}=24, or 0 for a machine that runs without end.",
    ),
    "lab_expire_days": _whole_number(
        range(10000),
        "It is how many days after its last use a lab is deleted, as a whole number up to {most}.",
        "Give a number, for example -e {name}=14, or 0 for never.",
    ),
    "lab_expire_role": _check(
        ROLE.fullmatch,
        "It is neither make nor the name or the ARN of a role at AWS.",
        "Let one be made: -e {name}=make.",
        or_empty=True,
    ),
}
LIST_CHECKS: dict[str, Check] = {
    "lab_instance_type": _check(
        INSTANCE_TYPE.fullmatch,
        "It is not the name of an EC2 type, such as t2.micro.",
        "Give a type, for example -e {name}=t3.xlarge, or several behind commas.",
    ),
    "lab_allow_from": _check(
        lambda value: value == OWN_ADDRESS or ipaddress.ip_network(value, strict=False),
        "It is not a range of addresses.",
        "Give ranges such as 203.0.113.7/32, or leave it out for your own address.",
    ),
    "lab_regions": _check(
        REGION.fullmatch,
        "It is not the name of an AWS region, such as us-west-2.",
        "Give names behind commas, for example -e {name}=us-west-2,us-east-1.",
        or_empty=True,
    ),
}
"""Of each entry of a list."""


def value_errors(
    values: t.Mapping[str, t.Any], releases: t.Mapping[str, t.Mapping[str, t.Any]], together: bool = True
) -> list[LabError]:
    """Return an error for each invalid value. ``values`` holds settings by name, as given.

    They are all that a lab is made with, or if not ``together``, only some, of which the others are not known.
    """
    by_name: dict[str, Check] = {**CHECKS, "lab_data": functools.partial(check_data, releases=releases)}
    checks: list[t.Callable[[], object]] = [
        *(functools.partial(check, name, str(values[name])) for name, check in by_name.items() if name in values),
        *(functools.partial(_each, check, name, values[name]) for name, check in LIST_CHECKS.items() if name in values),
    ]
    if together:
        checks += [
            functools.partial(check_certificate, values),
            functools.partial(check_address, values),
            functools.partial(check_bucket_region, values),
            functools.partial(check_mount_of_workers, values.get("lab_workers"), values.get("lab_mount")),
        ]
    if together and "lab_release" in values:
        data = str(values.get("lab_data", "s3"))
        checks.append(functools.partial(check_release, str(values["lab_release"]), data, releases))
    return [error for check in checks for error in _error_of(check)]


def _each(check: Check, name: str, value: object) -> None:
    for word in words(value):
        check(name, word)


def _error_of(check: t.Callable[[], object]) -> list[LabError]:
    try:
        check()
    except LabError as error:
        return [error]
    return []
