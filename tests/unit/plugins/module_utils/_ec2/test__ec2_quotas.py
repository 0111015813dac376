# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from botocore.exceptions import ClientError

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import quotas as quota
from ansible_collections.desi.lab.plugins.module_utils._ec2.instance_types import InstanceType
from ansible_collections.desi.lab.plugins.module_utils._ec2.run_instances import Attempt

STANDARD, STANDARD_SPOT, GPUS = "L-1216C47A", "L-34B43A08", "L-DB2E81BA"


def running(name="t3.xlarge", cores=2, threads=2, state="running", spot=False):
    options = {"CpuOptions": {"CoreCount": cores, "ThreadsPerCore": threads}} if cores else {}
    life = {"InstanceLifecycle": "spot"} if spot else {}
    return {"InstanceType": name, "State": {"Name": state}, **options, **life}


def attempt(name="t3.xlarge", market="on-demand", zone="us-west-2a"):
    return Attempt(name, zone, "subnet-a", market)


KINDS = {
    name: InstanceType(name, vcpus, 16384, "x86_64", False, True) for name, vcpus in (("t3.xlarge", 4), ("t2.micro", 1))
}


def within(attempts, quotas, instances=()):
    return quota.within_quota(attempts, KINDS, quotas, instances, "us-west-2")


CLASSES = {
    "Standard": "t2.micro m7i-flex.large im4gn.large is4gen.medium i3en.large d3.xlarge a1.large z1d.large h1.2xlarge",
    "G and VT": "g5g.xlarge gr6.4xlarge vt1.3xlarge",
    "P": "p5en.48xlarge",
    "F": "f1.2xlarge",
    "Inf": "inf2.xlarge",
    "Trn": "trn1.2xlarge",
    "DL": "dl1.24xlarge",
    "X": "x2idn.16xlarge",
    "High Memory": "u-6tb1.56xlarge u7i-12tb.224xlarge",
    "HPC": "hpc7a.96xlarge",
    "": "mac2.metal q9.large",
}


def test_type_is_counted_in_its_class():
    assert {name: quota.class_of(name) for names in CLASSES.values() for name in names.split()} == {
        name: of for of, names in CLASSES.items() for name in names.split()
    }
    assert quota.class_of("") == ""


@pytest.mark.parametrize(
    ("name", "market", "code"),
    [
        ("t2.micro", "on-demand", STANDARD),
        ("t2.micro", "spot", STANDARD_SPOT),
        ("g5.xlarge", "on-demand", GPUS),
        ("p4d.24xlarge", "on-demand", "L-417A185B"),
        ("u-6tb1.56xlarge", "spot", ""),
        ("mac2.metal", "on-demand", ""),
    ],
)
def test_quota_of_a_type_is_known_by_its_code(name, market, code):
    assert quota.code_of(name, market) == code


def test_machine_whose_threads_are_not_told_is_counted_by_its_size():
    instance = {"InstanceType": "c5.2xlarge", "State": {"Name": "running"}, "CpuOptions": {"CoreCount": 4}}
    assert quota.in_use(STANDARD, [instance], {}) == 8


def test_codes_are_all_different():
    codes = [code for codes in quota.QUOTAS.values() for code in codes if code]
    assert len(set(codes)) == len(codes)


def test_only_what_runs_in_the_class_and_market_is_counted():
    instances = [
        running(),
        running("m5.large", 1, 2, "pending"),
        running(state="stopped"),
        running("g5.xlarge"),
        running(spot=True),
        running("t2.micro", cores=0),
        running("c5.large", cores=0),
    ]
    assert quota.in_use(STANDARD, instances, {"t2.micro": 1}) == 4 + 2 + 1 + 2
    assert quota.in_use(STANDARD_SPOT, instances, {}) == 4


def test_type_that_is_not_described_is_counted_by_its_size():
    sizes = {"m5.large": 2, "t3.micro": 2, "r7i.xlarge": 4, "c5.18xlarge": 72, "c7g.metal-48xl": 192, "i3.metal": 64}
    assert {name: quota.guessed(name) for name in sizes} == sizes
    assert quota.guessed("odd") == 2


@pytest.mark.parametrize("quotas", [{STANDARD: 4}, {STANDARD: 5.0}, {STANDARD: None}, {}])
def test_machine_that_fits_or_whose_quota_is_not_known_is_let_through(quotas):
    assert within([attempt()], quotas) == ([attempt()], [])


@pytest.mark.parametrize(("limit", "instances"), [(3, []), (0, []), (7, [running()]), (5, [running("t2.micro", 1, 2)])])
def test_machine_that_does_not_fit_is_refused_with_the_command_that_asks_for_more(limit, instances):
    used = sum(each["CpuOptions"]["CoreCount"] * each["CpuOptions"]["ThreadsPerCore"] for each in instances)
    with pytest.raises(LabError) as caught:
        within([attempt(), attempt(zone="us-west-2b")], {STANDARD: limit}, instances)
    assert f"may use {limit} vCPUs at a time for machines of this kind (Standard, quota {STANDARD})" in caught.value.why
    assert f"Running machines use {used}, and t3.xlarge needs 4" in caught.value.why
    assert (
        "aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {STANDARD} --desired-value {used + 4} --region us-west-2"
    ) in caught.value.do


def test_alternative_that_fits_is_left_and_the_other_said_once():
    ways = [attempt(), attempt(zone="us-west-2b"), attempt("t2.micro")]
    good, said = within(ways, {STANDARD: 1})
    assert good == [attempt("t2.micro")]
    assert len(said) == 1
    assert said[0].startswith("on-demand t3.xlarge is left out")
    assert "1 vCPU at a time" in said[0]


def test_spot_without_quota_falls_back_to_on_demand_and_says_so():
    good, said = within([attempt(market="spot"), attempt()], {STANDARD: 32, STANDARD_SPOT: 0})
    assert good == [attempt()]
    assert STANDARD_SPOT in said[0]
    assert "spot machines" in said[0]


LIMIT = "You have requested more vCPU capacity than your current vCPU limit of 8 allows for the instance bucket."


@pytest.mark.parametrize(
    ("name", "market", "asks"),
    [
        ("g5.2xlarge", "on-demand", f"--quota-code {GPUS} --desired-value 16 --region us-west-2"),
        ("t3.xlarge", "spot", f"--quota-code {STANDARD_SPOT} --desired-value 12 --region us-west-2"),
        ("mac2.metal", "on-demand", f"--quota-code {STANDARD} --desired-value 16 --region us-west-2"),
    ],
)
def test_refusal_of_aws_names_the_quota_of_the_type_and_more_than_its_limit(name, market, asks):
    error = ClientError({"Error": {"Code": "VcpuLimitExceeded", "Message": LIMIT}}, "RunInstances")
    assert asks in quota.refusal(error, "start it", name, market, "us-west-2").do
    other = ClientError({"Error": {"Code": "OptInRequired", "Message": "No."}}, "RunInstances")
    assert "quota" not in quota.refusal(other, "start it", name, market, "us-west-2").do
