# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What refusals of roles suggest: never what was typed, nor what would be refused for the same reason."""

import os

import pytest

GIB = 2**30


@pytest.mark.parametrize(("image", "free", "smaller"), [("desidocker", 8, True), ("desidocker", 2, False)])
def test_full_disk_is_answered_with_a_smaller_image_where_there_is_one_that_fits(
    play_tasks, tmp_path, image, free, smaller
):
    program = tmp_path / "df"
    program.write_text(f"#!/bin/sh\necho Avail\necho {free * GIB}\n")
    program.chmod(0o755)
    include = {"include_role": {"name": "desi.lab.image", "tasks_from": "disk"}}
    path = f"{tmp_path}:{os.environ['PATH']}"
    code, shown = play_tasks([include], {"image_name": image, "image_root": "/"}, PATH=path)
    assert (code, "Make room" in shown, "-e lab_image=embedded" in shown) == (2, True, smaller), shown


@pytest.mark.parametrize(
    ("image", "other"),
    [("desidocker", "docker-aws-jupyter"), ("me/mine:1", "desidocker")],
)
def test_image_that_cannot_be_had_is_not_named_as_another_one(play_tasks, image, other):
    include = {"include_role": {"name": "desi.lab.image", "tasks_from": "disk", "public": True}}
    refuse = {"desi.lab.refuse": {"what": "No.", "why": "No.", "do": "{{ __image_ways_on }}"}}
    code, shown = play_tasks([include, refuse], {"image_name": image})
    assert (code, f"-e lab_image={other})" in shown) == (2, True), shown


@pytest.mark.parametrize(
    ("place", "desktop", "remedy"),
    [("host", True, "Leave lab_mount out"), ("auto", False, "Run modprobe fuse as root")],
)
def test_bucket_that_cannot_be_mounted_is_answered_with_what_could_help(play_tasks, place, desktop, remedy):
    given = {"data_place": place, "data_engine_desktop": desktop, "__data_fuse": {"stdout_lines": []}}
    include = {"include_role": {"name": "desi.lab.data", "tasks_from": "place"}}
    code, shown = play_tasks([include], given)
    others = [each for each in ("Leave lab_mount out", "Run modprobe fuse as root") if each in shown]
    assert (code, others) == (2, [remedy]), shown


@pytest.mark.parametrize(("called", "what"), [("mine, the one before", "image that the lab x had"), ("", "sha256")])
def test_image_that_is_known_by_its_id_alone_is_not_pulled(play_tasks, called, what):
    include = {"include_role": {"name": "desi.lab.image", "tasks_from": "pull"}}
    given = {"image_name": f"sha256:{'ab' * 32}", "image_called": called, "image_container": "desi-lab-x"}
    code, shown = play_tasks([include], given)
    assert (code, what in shown, "no longer on this computer" in shown) == (2, True, True), shown
    assert "./lab update -e lab_name=x" in shown
    assert "could not be pulled" not in shown
