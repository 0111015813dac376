# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role may do that deletes labs which are forgotten: only to what has the owner's tags, and only so much."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parents[4] / "roles/ec2/templates"
OWNER = 'lab/"ann"'


def rendered(name):
    # Files of the repository, and no page for a browser.
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined)  # noqa: S701 - JSON, not HTML
    environment.filters["to_json"] = json.dumps
    known = {"__ec2_expiry_owner": OWNER, "__ec2_partition": "aws", "__ec2_caller": {"account": "123456789012"}}
    return json.loads(environment.get_template(f"expiry_{name}.json.j2").render(known))["Statement"]


def test_expiry_policy_allows_exactly_the_scheduled_actions():
    allowed = {(one["Action"], one["Resource"].split(":")[-1]) for one in rendered("policy")}
    assert allowed == {
        ("ec2:TerminateInstances", "instance/*"),
        ("ec2:CancelSpotInstanceRequests", "spot-instances-request/*"),
        ("ec2:CreateSnapshot", "volume/*"),
        ("ec2:CreateSnapshot", "snapshot/*"),
        ("ec2:CreateTags", "snapshot/*"),
    }


@pytest.mark.parametrize("statement", rendered("policy"), ids=lambda statement: statement["Sid"])
def test_expiry_policy_requires_the_tags_of_the_owner(statement):
    [(key, value)] = statement["Condition"]["StringEquals"].items()
    assert statement["Effect"] == "Allow"
    if statement["Action"] == "ec2:CreateTags":
        # A snapshot that was not just made by it cannot be given the owner's tags.
        assert (key, value) == ("ec2:CreateAction", "CreateSnapshot")
    else:
        assert key in ("aws:ResourceTag/desi-lab:owner", "aws:RequestTag/desi-lab:owner")
        assert value == OWNER


def test_only_the_scheduler_of_the_same_account_acts_by_it_for_groups_of_labs():
    [statement] = rendered("trust")
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    assert statement["Condition"]["ArnLike"]["aws:SourceArn"] == (
        "arn:aws:scheduler:*:123456789012:schedule-group/desi-lab-*"
    )
