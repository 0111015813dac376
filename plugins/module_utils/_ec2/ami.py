# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the AMI: the newest of a system, from a public SSM parameter."""

from __future__ import annotations

import typing as t

from .._common.errors import LabError

# The user that each system lets in.
USERS = {"amazon": "ec2-user", "ubuntu": "ubuntu"}
TITLES = {"amazon": "Amazon Linux 2023", "ubuntu": "Ubuntu 24.04"}
_UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
_AMAZON = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}"
PARAMETERS = {
    ("amazon", "x86_64"): _AMAZON.format("x86_64"),
    ("amazon", "arm64"): _AMAZON.format("arm64"),
    ("ubuntu", "x86_64"): _UBUNTU.format("amd64"),
    ("ubuntu", "arm64"): _UBUNTU.format("arm64"),
}


class Image(t.NamedTuple):
    """An image, and the smallest disk that holds it."""

    id: str
    root_device: str
    least_gib: int


def parameters_of(system: str) -> list[str]:
    """Return the names of the SSM parameters with the images of a system."""
    return [name for (of, _architecture), name in PARAMETERS.items() if of == system]


def image_id(system: str, architecture: str, parameters: t.Mapping[str, str], region: str) -> str:
    found = parameters.get(PARAMETERS[system, architecture])
    if not found:
        other = next(name for name in USERS if name != system)
        raise LabError(
            f"There is no image of {TITLES[system]} for {architecture} in {region}.",
            f"AWS does not know the parameter {PARAMETERS[system, architecture]} there.",
            f"choose the other system: -e lab_os={other}, or another region",
        )
    return found


def read_image(found: str, images: t.Iterable[t.Mapping[str, t.Any]]) -> Image:
    """Return the facts of an image; ``images`` are those that EC2 describes."""
    described = next((image for image in images if image.get("ImageId") == found), None)
    if described is None:
        why = "The public parameter names it, but EC2 does not describe it to this account."
        raise LabError(
            f"The image {found} cannot be used.", why, "ask whoever manages the AWS account which are allowed"
        )
    root = str(described.get("RootDeviceName") or "/dev/xvda")
    sizes = [
        int((device.get("Ebs") or {}).get("VolumeSize") or 0)
        for device in described.get("BlockDeviceMappings") or []
        if device.get("DeviceName") == root
    ]
    return Image(found, root, max(sizes, default=0))


def disk_of(requested_gib: int, image: Image) -> int:
    """Return the size of the disk: no smaller than that of its image."""
    return max(requested_gib, image.least_gib)


def check_disk(requested_gib: int) -> None:
    """Refuse a size that no gp3 disk has."""
    if not 1 <= requested_gib <= 16384:
        why = "A disk has 1 to 16384 GiB."
        raise LabError(f"A disk of {requested_gib} GiB cannot be had.", why, "choose another size: -e lab_disk_gib=30")
