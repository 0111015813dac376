# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance types: whether a lab can run on one, and what it is too small for."""

from __future__ import annotations

import re
import typing as t

from .._common.errors import LabError
from .._common.humanize import MIB, amount, parse_size
from .._common.text import nearest

# The first that a type supports is taken. t2.micro names i386, too, for which there is no image any more.
ARCHITECTURES = ("x86_64", "arm64")
NAME = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
GIB = 1024
BUCKET_REGION = "us-west-2"
# The one file of DR1 that everybody reads first, and what it needs beside system, image and cache.
DR1_CATALOG = "zall-pix-iron.fits alone is 21 GB"
DR1_DISK_GIB = 60


class InstanceType(t.NamedTuple):
    name: str
    vcpus: int
    memory_mib: int
    architecture: str
    gpu: bool
    spot: bool

    @property
    def memory(self) -> str:
        """Return the memory as people write it."""
        gib = self.memory_mib / GIB
        return f"{gib:.0f} GiB" if gib == int(gib) else f"{gib:.1f} GiB"


def read_instance_type(described: t.Mapping[str, t.Any]) -> InstanceType:
    supported = (described.get("ProcessorInfo") or {}).get("SupportedArchitectures") or []
    return InstanceType(
        name=str(described["InstanceType"]),
        vcpus=int((described.get("VCpuInfo") or {}).get("DefaultVCpus") or 1),
        memory_mib=int((described.get("MemoryInfo") or {}).get("SizeInMiB") or 0),
        architecture=next((name for name in ARCHITECTURES if name in supported), ""),
        gpu=bool((described.get("GpuInfo") or {}).get("Gpus")),
        spot="spot" in (described.get("SupportedUsageClasses") or ["spot"]),
    )


def check_names(names: t.Sequence[str]) -> None:
    """Refuse what cannot be the name of a type, before AWS is asked."""
    if not names:
        raise LabError("No instance type was given.", "The list lab_instance_type is empty.", "leave it out: t2.micro")
    for name in names:
        if not NAME.fullmatch(name):
            raise LabError(
                f"“{name}” is not the name of an instance type.",
                "Such a name has a family and a size, in small letters.",
                "write it as AWS does: -e lab_instance_type=t3.xlarge",
            )


def chosen(
    names: t.Sequence[str], described: t.Iterable[InstanceType], offered: t.Collection[str], region: str
) -> list[InstanceType]:
    """Return the types that were asked for, in order; ``offered`` are all that there are, to help with a typo."""
    kinds = {kind.name: kind for kind in described}
    for name in names:
        if name not in kinds:
            near = nearest_types(name, offered)
            why = f"The nearest that there are: {', '.join(near)}." if near else "It may exist in another region."
            do = f"choose one that exists: -e lab_instance_type={near[0] if near else 't3.xlarge'}"
            raise LabError(f"{region} has no instance type {name}.", why, do)
        if not kinds[name].architecture:
            why = "Its processor runs none of the systems that a lab is made of."
            raise LabError(f"A lab cannot run on {name}.", why, "choose another: -e lab_instance_type=t3.xlarge")
    return [kinds[name] for name in dict.fromkeys(names)]


def nearest_types(name: str, offered: t.Collection[str]) -> list[str]:
    """Return up to three types that were perhaps meant: of the same family first, then those of like names."""
    family, _dot, size = name.partition(".")
    same = sorted((other for other in offered if other.partition(".")[0] == family), key=len)
    like = nearest(name, offered, most=3)
    sized = [other for other in like if other.partition(".")[2] == size]
    return list(dict.fromkeys([*nearest(name, same, most=3), *sized, *like]))[:3]


def check_image(kind: InstanceType, image: str) -> None:
    """Refuse to build the embedded image where it cannot be built: its locked packages have no files for ARM."""
    if kind.architecture == "arm64" and image == "embedded":
        raise LabError(
            f"The embedded image cannot be built on {kind.name}.",
            "That type has an ARM processor, and some of the image's packages exist for Intel and AMD processors only.",
            "choose a type with one of those: -e lab_instance_type=t3.xlarge",
        )


def check_needs(kind: InstanceType, needs: t.Mapping[str, t.Any]) -> None:
    """Refuse a type that has not what the lab is to have."""
    memory, cpus = str(needs.get("memory") or ""), float(needs.get("cpus") or 0)
    has, setting = "", ""
    # The system sees a little less than the whole.
    if memory and parse_size(memory) >= kind.memory_mib * MIB:
        has, setting = f"{kind.memory} of memory, and its system needs some of that", f"lab_memory={memory}"
    elif cpus > kind.vcpus:
        has, setting = f"{amount(kind.vcpus, 'processor')}", f"lab_cpus={cpus:g}"
    if has:
        do = "give less, leave it out, or choose a larger type: -e lab_instance_type=m7i.xlarge"
        raise LabError(f"A lab with {setting} cannot run on {kind.name}.", f"That type has {has}.", do)


def size_notes(kind: InstanceType) -> list[str]:
    """Return a note on what an instance is too small for."""
    do = "-e lab_instance_type=m7i.xlarge"
    if kind.memory_mib < 2 * GIB:
        return [f"{kind.name} has {kind.memory}: catalogs and single HDUs. Whole coadds want 16 GiB: {do}"]
    if kind.memory_mib < 8 * GIB:
        return [f"{kind.name} has {kind.memory}: single coadds. Several at once, or DR1's catalog, want 16 GiB: {do}"]
    if kind.memory_mib < 16 * GIB - 512:
        return [f"{kind.name} has {kind.memory}: coadds, a few at once. DR1's whole catalog wants 16 GiB: {do}"]
    return []


def notes(kind: InstanceType, disk_gib: int, release: str, region: str) -> list[str]:
    """Return notes on a choice of type, disk and region."""
    said = size_notes(kind)
    if release.lower() == "dr1" and disk_gib < DR1_DISK_GIB:
        said.append(f"{disk_gib} GiB of disk are little for DR1: {DR1_CATALOG}. -e lab_disk_gib={DR1_DISK_GIB + 4}")
    if kind.architecture == "arm64":
        said.append(f"{kind.name} has an ARM processor, and the published images are not made for it.")
    if kind.gpu:
        said.append(f"{kind.name} has a GPU, and nothing in the lab uses it.")
    if region != BUCKET_REGION:
        said.append(
            f"The bucket of DESI is in {BUCKET_REGION}. From {region} every read takes longer, "
            "and moving data between regions is not free."
        )
    return said
