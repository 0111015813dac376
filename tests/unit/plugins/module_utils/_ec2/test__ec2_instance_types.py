# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from little_ec2 import described

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import instance_types as types
from ansible_collections.desi.lab.plugins.module_utils._ec2.instance_types import InstanceType

KNOWN = ["t2.micro", "t3.micro", "t3.large", "t3.xlarge", "t3.2xlarge", "m7i.xlarge", "mac2.metal"]


def kind(memory_gib=16.0, name="t3.xlarge", architecture="x86_64", gpu=False):
    return InstanceType(name, 4, int(memory_gib * 1024), architecture, gpu, True)


def test_type_is_read_however_much_is_told_of_it():
    found = types.read_instance_type(described("t2.micro", 1024, 1, ("i386", "x86_64")))
    assert found == InstanceType("t2.micro", 1, 1024, "x86_64", False, True)
    found = types.read_instance_type(described(GpuInfo={"Gpus": [{"Count": 1}]}, SupportedUsageClasses=["on-demand"]))
    assert (found.gpu, found.spot) == (True, False)
    assert types.read_instance_type({"InstanceType": "x9.tiny"}) == InstanceType("x9.tiny", 1, 0, "", False, True)


def test_types_are_chosen_in_the_order_in_which_they_were_given():
    kinds = [types.read_instance_type(described(name)) for name in ("t3.large", "t3.xlarge")]
    found = types.chosen(["t3.xlarge", "t3.large", "t3.xlarge"], kinds, [], "us-west-2")
    assert [each.name for each in found] == ["t3.xlarge", "t3.large"]


@pytest.mark.parametrize(
    ("typo", "meant"), [("t3.xlrge", "t3.xlarge"), ("t3.mirco", "t3.micro"), ("m7.xlarge", "m7i.xlarge")]
)
def test_type_that_there_is_not_is_refused_with_the_nearest(typo, meant):
    with pytest.raises(LabError) as caught:
        types.chosen([typo], [], KNOWN, "us-west-2")
    assert caught.value.what == f"us-west-2 has no instance type {typo}."
    assert f"-e lab_instance_type={meant}" in caught.value.do
    with pytest.raises(LabError, match="another region") as caught:
        types.chosen(["z9q.pico"], [], [], "us-west-2")
    assert "t3.xlarge" in caught.value.do
    mac = types.read_instance_type(described("mac2.metal", supported=("arm64_mac",)))
    with pytest.raises(LabError, match=r"cannot run on mac2\.metal"):
        types.chosen(["mac2.metal"], [mac], [], "us-west-2")


@pytest.mark.parametrize(
    "names", [[], ["t3"], ["T3.micro"], ["t3.micro,t3.large"], ["t3.micro", ""], ["t3 .micro"], ["*"]]
)
def test_what_cannot_be_a_type_is_refused_before_aws_is_asked(names):
    with pytest.raises(LabError):
        types.check_names(names)
    types.check_names(["t2.micro", "u-6tb1.56xlarge", "m7i-flex.large", "i3.metal", "c7g.metal-48xl"])


@pytest.mark.parametrize(
    ("memory_mib", "told"),
    [
        (0.5, "0.5 GiB: catalogs and single HDUs"),
        (1, "1 GiB: catalogs and single HDUs"),
        (1.99, "catalogs and single HDUs"),
        (2, "single coadds"),
        (7.9, "single coadds"),
        (8, "a few at once"),
        (15, "a few at once"),
        (15.6, ""),
    ],
)
def test_machine_is_told_what_it_is_too_small_for(memory_mib, told):
    notes = types.size_notes(kind(memory_mib))
    assert (told in notes[0]) if told else notes == []
    # It says which one would do.
    assert all("-e lab_instance_type=m7i.xlarge" in note for note in notes)


@pytest.mark.parametrize(
    ("release", "disk", "said"),
    [("dr1", 30, True), ("DR1", 30, True), ("dr1", 59, True), ("dr1", 60, False), ("edr", 30, False)],
)
def test_disk_is_held_against_the_catalog_of_the_release(release, disk, said):
    notes = types.notes(kind(), disk, release, "us-west-2")
    assert ["zall-pix-iron.fits" in note for note in notes] == [True] * said
    for note in notes:
        assert types.notes(kind(), int(note.rpartition("=")[2]), "dr1", "us-west-2") == []


@pytest.mark.parametrize(
    ("of", "region", "told"),
    [
        (kind(architecture="arm64"), "us-west-2", "the published images are not made for it"),
        (kind(gpu=True), "us-west-2", "GPU"),
        (kind(), "eu-central-1", "From eu-central-1 every read takes longer"),
    ],
)
def test_note_warns_of_arm_processors_unused_gpus_and_far_regions(of, region, told):
    (note,) = types.notes(of, 64, "edr", region)
    assert told in note
