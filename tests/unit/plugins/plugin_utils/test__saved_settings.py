# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils._saved_settings import (
    MAX_BYTES,
    SETTINGS,
    label_settings,
    no_such_lab,
    remembered,
)

NEW, OLD = f"sha256:{'ab' * 32}", f"sha256:{'cd' * 32}"


def container(**labels):
    return {"Image": NEW, "Config": {"Labels": {f"desi.lab.{name}": value for name, value in labels.items()}}}


def test_settings_image_and_the_one_before_are_read_off_the_container():
    found = remembered(container(settings=json.dumps({"lab_data": "sample"}), previous=OLD))
    assert found["settings"] == {"lab_data": "sample"}
    assert (found["image"], found["previous"]) == (NEW, OLD)
    assert (found["digest"], found["source"], found["cache"]) == ("", "", "")


@pytest.mark.security("M2")
@pytest.mark.parametrize("told", ["", "scratch", "~", "/$HOME", "/a\nb", "/a:b", "C:/x", 3, True, ["/x"], None])
def test_cache_is_remembered_as_an_absolute_path_and_as_nothing_else(told):
    assert remembered(container(settings=json.dumps({"lab_cache": told})))["cache"] == ""
    assert remembered(container(settings='{"lab_cache": "/scratch/desi-lab"}'))["cache"] == "/scratch/desi-lab"


@pytest.mark.security("H1")
@pytest.mark.parametrize(
    "image", ["/home/ann", "https://h/x.git", "git@h:x", "ssh://h/x", "github.com/a/b", "../x", "~", "/"]
)
def test_what_a_machine_remembers_is_no_folder_and_no_repository_to_build_from(image):
    # Nor does it say where it is accessed from here.
    memory = container(settings=json.dumps({"lab_image": image, "lab_data": "s3", "lab_bind": "::", "lab_port": 1}))
    found = remembered(memory, elsewhere=True)
    assert found["settings"] == {"lab_data": "s3"}
    assert found["source"] == image
    here = remembered(memory)
    assert (here["settings"]["lab_image"], here["source"]) == (image, "")


@pytest.mark.parametrize("image", ["embedded", "docker-aws-jupyter", "ghcr.io/a/b:main", "localhost:5000/lab:1"])
def test_an_image_of_a_registry_is_taken_up_again_elsewhere(image):
    found = remembered(container(settings=json.dumps({"lab_image": image})), elsewhere=True)
    assert (found["settings"]["lab_image"], found["source"]) == (image, "")


@pytest.mark.security("H1")
@pytest.mark.parametrize("told", ["/home/ann", "evil:latest", "sha256:abc", "https://h/x.git", "", 3, ["x"]])
def test_an_image_is_remembered_by_its_id_and_by_nothing_else(told):
    found = remembered({"Image": told, "Config": {"Labels": {"desi.lab.previous": told}}})
    assert (found["image"], found["previous"]) == ("", "")


@pytest.mark.security("M5")
def test_digest_is_remembered_in_the_form_of_registries_alone():
    hexadecimal = "0a" * 32
    digest = f"registry.example.org:5000/me/lab@sha256:{hexadecimal}"
    assert remembered(container(digest=digest))["digest"] == digest
    for told in ("x", "me/lab@sha256:0a", f"{{{{ x }}}}@sha256:{hexadecimal}", f"{digest}\n", 3):
        assert remembered(container(digest=told))["digest"] == ""


def test_what_cannot_be_read_is_nothing():
    for text in ("", "{", "[]", "3", "null"):
        assert remembered(container(settings=text))["settings"] == {}
    nothing = {"settings": {}, **dict.fromkeys(("image", "previous", "digest", "source", "cache"), "")}
    assert remembered(None) == remembered({}) == remembered({"Config": None}) == nothing


@pytest.mark.security("C2")
@pytest.mark.parametrize(
    "other",
    [
        *({"ansible_host": "203.0.113.1"}, {"desi_image": "/home/ann"}, {"": "x"}, {"lab_data\n": "s3"}),
        *({"lab_image": None}, {"lab_image": ["x"]}, {"lab_image": {}}, {"lab_cpus": 1.5}, {"lab_port": 10**20}),
    ],
)
def test_what_is_no_setting_is_left_out_and_all_others_stay(other):
    settings = {"lab_data": "/data/desi", "lab_release": "edr", "lab_port": 8889}
    assert remembered(container(settings=json.dumps({**other, **settings})))["settings"] == settings
    assert label_settings({SETTINGS: json.dumps({**other, "lab_new": "x"})}) == {"lab_new": "x"}


@pytest.mark.security("C2")
def test_label_of_no_sensible_size_says_nothing():
    for settings in ({f"lab_{number}": "x" for number in range(101)}, {"lab_data": "s3", "x": "x" * MAX_BYTES}):
        assert label_settings({SETTINGS: json.dumps(settings)}) == {}


@pytest.mark.security("C2")
@pytest.mark.parametrize(
    ("folder", "kept"),
    [
        *(("/home/ann/my\u00a0data", True), ("/home/ann/\u3000", True), ("/home/ann/ü \u0301", True)),
        *(("a\x1b[2J", False), ("a\nb", False), ("a\u202eb", False), ("x" * 5000, False)),
    ],
)
def test_a_text_that_cannot_be_printed_is_left_out_alone(folder, kept):
    found = remembered(container(settings=json.dumps({"lab_port": 8889, "lab_folder": folder})))["settings"]
    assert found == {"lab_port": 8889, **({"lab_folder": folder} if kept else {})}


@pytest.mark.parametrize(
    ("name", "known", "words"),
    [
        ("desii", ["desi", "other"], ["nearest name is desi", "-e lab_name=desi "]),
        ("dsi", ["desi", "desi2"], ["nearest names are desi, desi2", "-e lab_name=desi "]),
        ("zzz", ["desi", "other"], ["desi, other", "./lab status"]),
        ("zzz", ["mine"], ["only mine", "-e lab_name=mine "]),
        ("zzz", [], ["no lab at all", "./lab local"]),
    ],
)
def test_a_lab_that_there_is_none_of_is_told_with_the_nearest_names(name, known, words):
    told = no_such_lab(name, known)
    assert bool(told["near"]) == ("nearest" in told["why"])
    assert told["what"] == f"There is no lab {name}."
    assert all(word in told["why"] + told["do"] for word in words)


def test_of_many_labs_some_are_named():
    assert "and 15 more" in no_such_lab("zzz", [f"lab{number}" for number in range(25)])["why"]


@pytest.mark.parametrize(("saved", "backend"), [("s3fs", "auto"), ("rclone", "rclone")])
def test_s3fs_is_no_longer_a_backend(saved, backend):
    memory = container(settings=json.dumps({"lab_mount_backend": saved}))
    assert remembered(memory)["settings"] == {"lab_mount_backend": backend}


@pytest.mark.parametrize(
    ("asked", "granted", "place"),
    [
        ("auto", ["SYS_ADMIN"], "container"),
        ("auto", [], "auto"),
        ("auto", None, "auto"),
        ("host", ["SYS_ADMIN"], "host"),
    ],
)
def test_a_lab_that_was_given_the_right_to_mount_by_itself_goes_on_with_it(asked, granted, place):
    lab = container(settings=json.dumps({"lab_mount": asked})) | {"HostConfig": {"CapAdd": granted}}
    assert remembered(lab)["settings"] == {"lab_mount": place}
