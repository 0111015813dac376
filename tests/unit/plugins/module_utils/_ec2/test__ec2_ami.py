# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from little_ec2 import image

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import ami
from ansible_collections.desi.lab.plugins.module_utils._ec2.ami import Image

AMAZON = {"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64": "ami-1"}


def test_image_is_named_by_the_parameter_of_its_system_and_architecture():
    amazon = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}"
    ubuntu = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
    assert ami.parameters_of("amazon") == [amazon.format("x86_64"), amazon.format("arm64")]
    assert ami.parameters_of("ubuntu") == [ubuntu.format("amd64"), ubuntu.format("arm64")]
    assert ami.image_id("amazon", "x86_64", AMAZON, "us-west-2") == "ami-1"


@pytest.mark.parametrize(
    ("system", "architecture", "other"), [("amazon", "arm64", "ubuntu"), ("ubuntu", "x86_64", "amazon")]
)
def test_system_that_a_region_does_not_have_is_refused_with_the_other_one(system, architecture, other):
    with pytest.raises(LabError, match=architecture) as caught:
        ami.image_id(system, architecture, AMAZON, "us-west-2")
    assert f"-e lab_os={other}" in caught.value.do


def test_disk_of_an_image_is_read_off_it_and_is_the_least():
    several = [image("ami-0", size=99), image(root="/dev/sda1")]
    assert ami.read_image("ami-1", several) == Image("ami-1", "/dev/sda1", 8)
    assert ami.read_image("ami-1", [{"ImageId": "ami-1"}]) == Image("ami-1", "/dev/xvda", 0)
    with pytest.raises(LabError, match="ami-1"):
        ami.read_image("ami-1", [image("ami-0")])
    sizes = [ami.disk_of(wanted, Image("ami-1", "/dev/xvda", least)) for wanted, least in ((30, 8), (30, 30), (8, 15))]
    assert sizes == [30, 30, 15]


@pytest.mark.parametrize("size", [-1, 0, 16385])
def test_disk_that_is_impossible_is_refused(size):
    for possible in (1, 30, 16384):
        ami.check_disk(possible)
    with pytest.raises(LabError, match=f"{size} GiB"):
        ami.check_disk(size)
