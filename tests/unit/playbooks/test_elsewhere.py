# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab on EC2 is ended from a computer that keeps nothing of it and whose Docker Engine one may not use."""

from __future__ import annotations

import shutil

import pytest

DENIED = "#!/bin/sh\necho 'permission denied while trying to connect to the docker API' >&2\nexit 1\n"


def states(region):
    return [one["State"]["Name"] for one in region.instances()]


@pytest.mark.security("E12")
def test_it_is_found_at_aws_named_and_ended_once_somebody_says_so(region, laptop, tmp_path):
    shutil.rmtree(laptop.lab)
    docker = laptop.folder / "bin/docker"
    docker.write_text(DENIED)
    docker.chmod(0o755)
    [machine] = [one["InstanceId"] for one in region.instances()]
    elsewhere = {"DOCKER_HOST": f"unix://{tmp_path}/none"}
    asked = laptop.play("stop", {}, None, "-e", "lab_where=auto", **elsewhere)
    assert asked.returncode != 0
    assert f"The machine {machine} was not touched." in asked.stdout + asked.stderr
    assert states(region) == ["running"]
    done = laptop.play("down", {}, None, "-e", "lab_where=auto", "-e", "lab_yes=true", **elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    assert states(region) == ["terminated"]
    assert not laptop.lab.exists()
