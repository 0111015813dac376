# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.instance_types import InstanceType
from ansible_collections.desi.lab.plugins.module_utils._ec2.type_change import check_place, check_quota

XLARGE = InstanceType("t3.xlarge", 4, 16384, "x86_64", gpu=False, spot=True)
CODE = "L-1216C47A"


def instance(number="i-1", kind="t3.small", architecture="x86_64"):
    return {
        "InstanceId": number,
        "InstanceType": kind,
        "Architecture": architecture,
        "Placement": {"AvailabilityZone": "us-west-2a"},
        "State": {"Name": "running"},
    }


@pytest.mark.parametrize(
    ("machine", "zones", "why"),
    [
        (instance(), ["us-west-2a", "us-west-2b"], ""),
        (instance(architecture="arm64"), ["us-west-2a"], "made for arm64 processors, and t3.xlarge has one of x86_64"),
        (instance(), ["us-west-2b"], "offered in us-west-2b alone, and the lab's disk lies in us-west-2a"),
        (instance(), [], "no zone of the region"),
    ],
)
def test_type_has_the_processor_of_the_system_and_is_in_the_zone_of_the_disk(machine, zones, why):
    if not why:
        check_place(XLARGE, machine, zones)
        return
    with pytest.raises(LabError) as caught:
        check_place(XLARGE, machine, zones)
    assert why in caught.value.why
    assert "t4g" in caught.value.do or "x86" not in why


@pytest.mark.parametrize(("limit", "fits"), [(None, True), (6, True), (5, False)])
def test_quota_counts_what_runs_beside_the_instance_and_not_what_it_is_now(limit, fits):
    running = [instance(), instance("i-2", "t3.micro")]
    if fits:
        check_quota(XLARGE, instance(), {CODE: limit}, running, "us-west-2")
        return
    with pytest.raises(LabError, match="exceeds what this account may run"):
        check_quota(XLARGE, instance(), {CODE: limit}, running, "us-west-2")
