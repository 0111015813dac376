# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import Price, Prices
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import ROLE_TAG, WORKER, as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2.instance_types import InstanceType
from ansible_collections.desi.lab.plugins.module_utils._ec2.workers_plan import (
    UNCHANGED,
    Facts,
    Need,
    changes,
    cost_text,
    lab_workers,
    number_of,
    plan_workers,
    types_of,
)

SPOT, DEMAND = "L-34B43A08", "L-1216C47A"
KINDS = {
    "t2.micro": InstanceType("t2.micro", 1, 1024, "x86_64", False, True),
    "m6i.xlarge": InstanceType("m6i.xlarge", 4, 16384, "x86_64", False, True),
    "m6g.xlarge": InstanceType("m6g.xlarge", 4, 16384, "arm64", False, True),
    "r7i.4xlarge": InstanceType("r7i.4xlarge", 16, 131072, "x86_64", False, True),
}
PRICE = Price(0.2, "2026-11-01", "AWS")


def facts(spot=64.0, demand=64.0, zones=("us-west-2a",), running=(), gib=0.0):
    offered = {name: set(zones) for name in KINDS}
    types = {**dict.fromkeys(KINDS, PRICE), "r7i.4xlarge": PRICE._replace(usd=1.0)}
    prices = Prices(types, Price(gib, "", "AWS"), Price(0.0, "", "AWS"))
    return Facts(KINDS, offered, {SPOT: spot, DEMAND: demand}, list(running), prices)


def need(number, kind="m6i.xlarge", launches_lab=False):
    return Need("desi", number, kind, "t2.micro", launches_lab, ["us-west-2a"], 30, "us-west-2")


def worker(number, state="running", kind="m6i.xlarge", **tags):
    return {
        "InstanceId": f"i-{number}",
        "State": {"Name": state},
        "InstanceType": kind,
        "LaunchTime": f"2026-11-29T0{number}:00:00Z",
        "Tags": as_tag_list(lab_tags("desi", "ann", {ROLE_TAG: WORKER, **tags})),
    }


def test_workers_are_known_by_tag_and_state_the_oldest_first():
    own = {**worker(0), "Tags": as_tag_list(lab_tags("desi", "ann"))}
    other = {**worker(5), "Tags": as_tag_list(lab_tags("desi", "ben", {ROLE_TAG: WORKER}))}
    found = lab_workers([worker(3), own, worker(2), other, worker(1, "terminated")], "desi", "ann")
    assert [one["InstanceId"] for one in found] == ["i-2", "i-3"]


@pytest.mark.parametrize(
    ("number", "kept", "ended", "launched"),
    [(0, (), ("i-1", "i-2"), 0), (1, ("i-1",), ("i-2",), 0), (2, ("i-1", "i-2"), (), 0), (4, ("i-1", "i-2"), (), 2)],
)
def test_only_the_difference_is_made_or_ended(number, kept, ended, launched):
    plan = plan_workers(need(number), [worker(1), worker(2)], facts())
    assert (plan.kept, plan.ended, plan.launched) == (kept, ended, launched)
    made, gone = changes(plan)
    assert (bool(made), bool(gone)) == (launched > 0, bool(ended))


@pytest.mark.parametrize(
    ("asked", "recorded", "existing", "number"),
    [(UNCHANGED, None, 2, 2), (UNCHANGED, 3, 0, 3), (UNCHANGED, 0, 0, 0), (1, 3, 2, 1), (0, 3, 0, 0)],
)
def test_as_many_as_somebody_says_or_as_the_lab_was_given_or_as_there_are(asked, recorded, existing, number):
    assert number_of(asked, recorded, existing) == number


def test_type_is_that_of_those_that_there_are_or_were_or_the_labs():
    was = need(1, "")._replace(recorded_type="m6i.xlarge")
    found = [types_of(was, [worker(1, kind="m6g.xlarge")])[0], types_of(was, [])[0], types_of(need(1, ""), [])[0]]
    assert found == ["m6g.xlarge", "m6i.xlarge", "t2.micro"]


@pytest.mark.parametrize(
    ("kind", "spot", "demand", "markets"),
    [
        ("m6i.xlarge", 64, 64, ("spot", "on-demand")),
        ("m6i.xlarge", 4, 64, ("on-demand",)),
        ("m6i.xlarge", 64, 4, ("spot",)),
        ("m6i.xlarge", None, None, ("spot", "on-demand")),
        ("", 4, 4, ("spot", "on-demand")),
    ],
)
def test_markets_are_those_whose_quota_has_room_for_all(kind, spot, demand, markets):
    assert plan_workers(need(4, kind), [], facts(spot, demand)).markets == markets


@pytest.mark.parametrize(
    ("asked", "known", "told"),
    [
        (need(4), facts(4, 12), "-e lab_workers=3"),
        (need(4, launches_lab=True), facts(4, 12), "-e lab_workers=2"),
        (need(4), facts(0, 0), "room for none of the 4"),
        (need(4), facts(0, 32, running=[worker(n) for n in range(7)]), f"{DEMAND} --desired-value 44 --region"),
        (need(4), facts(12, 4), f"{SPOT} --desired-value 16 --region"),
        (need(4, launches_lab=True), facts(4, 12), f"{DEMAND} --desired-value 17 --region"),
        (need(1, "m6g.xlarge"), facts(), "arm64"),
        (need(1), facts(zones=("us-west-2b",)), "us-west-2b"),
        (need(1, "x9.huge"), facts(), "no instance type x9.huge"),
    ],
)
def test_what_cannot_be_had_is_refused_with_what_can(asked, known, told):
    with pytest.raises(LabError) as refused:
        plan_workers(asked, [], known)
    assert told in f"{refused.value.what} {refused.value.why} {refused.value.do}"


def test_workers_that_stay_keep_their_type_which_is_told_and_counted():
    there = [worker(number, kind="m6i.xlarge") for number in (1, 2)]
    plan = plan_workers(need(2, "r7i.4xlarge"), there, facts())
    assert (plan.type, plan.vcpus, plan.hour) == ("m6i.xlarge", 4, 0.4)
    assert cost_text(plan, None, 12) == "2 x m6i.xlarge, at most 0.400 USD an hour more"
    assert plan.notes == (
        "2 Dask workers stay m6i.xlarge. To have r7i.4xlarge instead, end what there is first: -e lab_workers=0",
    )
    more = plan_workers(need(3, "r7i.4xlarge"), there, facts())
    assert (more.type, more.vcpus, more.hour) == ("r7i.4xlarge", 16, 1.4)
    assert cost_text(more, None, 12) == "1 x r7i.4xlarge and 2 x m6i.xlarge, at most 1.40 USD an hour more"
    unknown = facts()._replace(prices=Prices({}, None, None))
    assert "whose price is not known" in cost_text(plan_workers(need(2), there, unknown), None, 12)
    assert not plan_workers(need(2, ""), there, facts()).notes
    # What ends first is of no type that matters later, so that the next one is what was asked for before.
    was = need(0, "r7i.4xlarge")._replace(recorded_type="m6i.xlarge")
    assert plan_workers(was, there, facts()).type == "m6i.xlarge"


@pytest.mark.parametrize(
    ("kind", "image_gib", "gib"), [("m6i.xlarge", 8, 30), ("r7i.4xlarge", 8, 142), ("m6i.xlarge", 64, 64)]
)
def test_disk_holds_system_image_and_what_spills_and_is_priced_as_it_is_launched(kind, image_gib, gib):
    plan = plan_workers(need(1, kind)._replace(image_gib=image_gib), [], facts(gib=0.73))
    assert plan.disk_gib == gib
    assert changes(plan)[0][0].endswith(f"{gib} GiB encrypted")
    assert plan.hour == pytest.approx(facts().prices.types[kind].usd + gib * 0.001)


def test_costs_are_told_for_all_and_for_the_longest_case():
    plan = plan_workers(need(2), [], facts())
    assert cost_text(plan, 0.1, 12) == (
        "2 x m6i.xlarge, at most 0.400 USD an hour more · with the lab 0.500, in 12 h at most 6.00 USD"
    )
    assert cost_text(plan, 0.1, 0).endswith("nothing ends that by itself")
    assert cost_text(plan, 0.1, None).endswith("with the lab 0.500")
    assert cost_text(plan._replace(number=0), 0.1, 12) == ""
