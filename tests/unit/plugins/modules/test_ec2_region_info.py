# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from aws_region import run_module, without_credentials

from ansible_collections.desi.lab.plugins.modules import ec2_region_info

pytestmark = pytest.mark.security("E12")


@pytest.fixture
def look(region, capsys, tmp_path):
    def run(**given):
        return run_module(ec2_region_info, capsys, name="desi", config=str(tmp_path / "labs"), **given)

    return run


def test_the_regions_that_are_known_are_asked_and_those_with_something_of_the_lab_named(
    region, look, monkeypatch, tmp_path
):
    region.launch()
    folder = tmp_path / "labs/eu-west-1/other"
    folder.mkdir(parents=True)
    (folder / "ssh_config").touch()
    (tmp_path / "aws").write_text("[profile work]\nregion = sa-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    found = look()
    assert found["asked"] == ["eu-west-1", "sa-east-1", "us-east-2", "us-west-2"]
    assert (found["regions"], found["owner"]) == (["us-west-2"], "moto")
    # Who names regions means these.
    assert look(regions=["eu-west-1"])["asked"] == ["eu-west-1"]


def test_without_credentials_nobody_is_asked_and_trouble_is_no_answer(region, look, monkeypatch):
    region.faults["ec2:DescribeVolumes"] = ("UnauthorizedOperation", "no")
    assert "ec2:DescribeVolumes" in look()["why"]
    without_credentials(monkeypatch)
    assert look()["asked"] == []


def test_region_that_has_nothing_but_a_snapshot_of_the_lab_is_found(region, look):
    disk = region.disk()
    region.ec2.create_snapshot(VolumeId=disk, TagSpecifications=region.tags("snapshot"))
    region.ec2.delete_volume(VolumeId=disk)
    assert look()["regions"] == ["us-west-2"]
