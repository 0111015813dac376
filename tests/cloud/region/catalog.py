# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machine images: moto's Amazon Linux ones, cured of odd sizes, and Ubuntu's, with the parameters that lead to them."""

from __future__ import annotations

from typing import Any

import moto.ec2.models.amis as moto_images
from moto.core.utils import utcnow
from moto.ssm.models import Parameter, ParameterDict

CANONICAL = "099720109477"
UBUNTU = {"amd64": "ami-02404000000000a64", "arm64": "ami-02404000000000a1a"}
# Of the root volume of AL2023's and Ubuntu's images alike.
GIB = 8

LOAD_IMAGES = moto_images.AmiBackend._load_amis
LOAD_PARAMETERS = ParameterDict._check_loading_status


def install() -> None:
    """Put the catalog in place, for every AWS region."""
    moto_images.AmiBackend._load_amis = load_images
    moto_images.Ami.block_device_mappings = property(root_volume)
    ParameterDict._check_loading_status = load_parameters


def load_images(backend: Any) -> None:
    """Load moto's images and Ubuntu's."""
    LOAD_IMAGES(backend)
    for architecture, number in UBUNTU.items():
        backend.amis[number] = moto_images.Ami(
            backend,
            number,
            name=f"ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{architecture}-server-20261015",
            description=f"Canonical, Ubuntu, 24.04, {architecture} noble image",
            owner_id=CANONICAL,
            owner_alias="amazon",
            public=True,
            virtualization_type="hvm",
            architecture={"amd64": "x86_64"}.get(architecture, architecture),
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name="/dev/sda1",
        )


def root_volume(image: Any) -> list[dict[str, Any]]:
    """Return the volumes of an image; moto says 15 GiB that stay when the instance goes."""
    volume = {
        "SnapshotId": image.ebs_snapshot.id,
        "VolumeSize": GIB,
        "DeleteOnTermination": True,
        "VolumeType": "gp3",
        "Encrypted": False,
    }
    return [{"DeviceName": image.root_device_name, "Ebs": volume}]


def load_parameters(parameters: Any, name: str) -> None:
    """Load the public parameters that a name may mean."""
    LOAD_PARAMETERS(parameters, name)
    for architecture, number in UBUNTU.items():
        known = f"/aws/service/canonical/ubuntu/server/24.04/stable/current/{architecture}/hvm/ebs-gp3/ami-id"
        if name == known and not dict.get(parameters, known):
            parameter = Parameter(
                account_id=parameters.account_id,
                name=known,
                value=number,
                parameter_type="String",
                description=None,
                allowed_pattern=None,
                keyid=None,
                last_modified_date=utcnow(),
                version=1,
                data_type="aws:ec2:image",
            )
            dict.setdefault(parameters, known, []).append(parameter)
