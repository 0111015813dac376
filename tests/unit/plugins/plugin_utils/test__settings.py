# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils import _settings

RELEASES = {
    "edr": {"specprod": "fuji", "public": True},
    "dr1": {"specprod": "iron", "public": True},
    "dr2": {"specprod": "loa", "public": False},
}
KNOWN = ["lab_name", "lab_port", "lab_container_port", "lab_data", "lab_data_writable", "lab_bind"]
SOUND = {
    "lab_name": "desi",
    "lab_release": "edr",
    "lab_data": "s3",
    "lab_folder": "/home/ann/my work",
    "lab_bind": "127.0.0.1",
    "lab_port": 8888,
    "lab_container_port": "8888",
    "lab_endpoint": "",
    "lab_bucket": "desidata",
    "lab_cache": "",
    "lab_cache_max": "",
    "lab_image": "docker-aws-jupyter",
}


def refusal(check, *arguments) -> LabError:
    with pytest.raises(LabError) as caught:
        check(*arguments)
    error = caught.value
    for sentence in (error.what, error.why, error.do):
        assert sentence == sentence.strip()
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    return error


def test_of_two_names_that_are_as_near_the_one_that_begins_alike_is_meant():
    assert _settings.nearest("lab_prot", ["lab_name", "lab_port", "lab_spot"]) == "lab_port"
    assert _settings.nearest("lab_prot", ["lab_spot", "lab_port"]) == "lab_port"
    assert _settings.nearest("something else", ["lab_spot", "lab_port"]) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lab_prot", "lab_port"),
        ("lab_nmae", "lab_name"),
        ("lab_containerport", "lab_container_port"),
        ("lab_date", "lab_data"),
        ("lab_PORT", "lab_port"),
    ],
)
def test_name_that_is_nearly_a_setting_is_refused_with_the_nearest_one(typed, meant):
    error = refusal(_settings.check_names, ["lab_name", typed], KNOWN)
    assert error.what == f"There is no setting {typed}."
    assert error.why == f"The nearest one is {meant}."
    assert f"-e {meant}=" in error.do


def test_name_that_is_like_no_setting_is_refused_without_a_guess():
    error = refusal(_settings.check_names, ["lab_xyzzy_quux"], KNOWN)
    assert error.why == "No setting has a name like it."
    assert "README.md" in error.do


def test_names_that_exist_are_taken():
    _settings.check_names([], KNOWN)
    _settings.check_names(KNOWN, KNOWN)


@pytest.mark.parametrize("name", ["desi", "d", "7", "my-lab-2", "a" * 40, "sample", "mount"])
def test_lab_name_that_docker_can_carry_is_taken(name):
    _settings.check_lab_name(name)


@pytest.mark.parametrize(
    "name", ["", "Desi", "my lab", "my_lab", "-x", "a" * 41, "a/b", "a.b", "désí", "desi\n", "$(id)", "../etc"]
)
def test_lab_name_that_docker_could_not_carry_is_refused(name):
    assert "lab_name" in refusal(_settings.check_lab_name, name).what


@pytest.mark.parametrize("name", ["desi-sample", "mount-desidata-0a1b2c3d"])
def test_lab_name_that_belongs_to_another_labs_helper_is_refused(name):
    assert "another lab" in refusal(_settings.check_lab_name, name).why


@pytest.mark.parametrize("release", ["edr", "EDR", "Dr1"])
def test_release_is_known_in_any_case(release):
    _settings.check_release(release, "s3", RELEASES)


@pytest.mark.parametrize("release", ["", "dr9", "fuji", "edr "])
def test_release_that_is_not_in_the_table_is_refused_with_those_that_are(release):
    assert "edr, dr1, dr2" in refusal(_settings.check_release, release, "s3", RELEASES).why


@pytest.mark.parametrize("data", ["s3", "sample"])
def test_release_that_is_not_public_is_refused_where_only_public_data_can_be_had(data):
    error = refusal(_settings.check_release, "DR2", data, RELEASES)
    assert "not public" in error.why
    assert "-e lab_data=/path" in error.do


def test_release_that_is_not_public_is_taken_from_a_folder_of_ones_own():
    _settings.check_release("dr2", "/data/desi", RELEASES)


@pytest.mark.parametrize("data", ["s3", "sample", "/data/desi", "/data/my desi"])
def test_data_by_word_or_absolute_path_are_taken(data):
    _settings.check_data(data)


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ("desi", "$(realpath 'desi')"),
        ("./my desi", "$(realpath './my desi')"),
        ("~/desi", "$(realpath ~/desi)"),
        ("S3", "-e lab_data=s3"),
        ("Sample", "-e lab_data=sample"),
        ("", "Leave it out"),
        ("s3://desidata", "realpath"),
    ],
)
def test_data_that_are_neither_a_word_nor_an_absolute_path_are_refused(data, hint):
    assert hint in refusal(_settings.check_data, data).do


def test_the_command_that_a_refused_path_is_answered_with_gives_the_whole_path(tmp_path):
    (tmp_path / "my desi").mkdir()
    hint = refusal(_settings.check_data, "my desi").do
    command = hint.partition("-e ")[2].removesuffix(".")
    done = subprocess.run(
        ["/bin/sh", "-c", f"printf %s {command}"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout == f"lab_data={tmp_path}/my desi"


@pytest.mark.parametrize("check", [_settings.check_data, lambda path: _settings.check_folder("lab_folder", path)])
def test_path_with_a_colon_is_refused_because_docker_would_misread_it(check):
    error = refusal(check, "/data/2024-01-01T12:00/desi")
    assert "2024-01-01T12:00" in error.do
    assert "colon" in error.why


@pytest.mark.parametrize("folder", ["", "/", "/home/ann/work"])
def test_folder_that_is_absolute_or_left_out_is_taken(folder):
    _settings.check_folder("lab_folder", folder)


@pytest.mark.parametrize("folder", ["work", "./work", "~/work", "../x"])
def test_folder_that_is_relative_is_refused(folder):
    error = refusal(_settings.check_folder, "lab_cache", folder)
    assert error.what == f"The setting lab_cache={folder} cannot work."
    assert "-e lab_cache=" in error.do


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "192.0.2.7", "::1", "::"])  # noqa: S104 - read, not bound
def test_address_is_taken(address):
    _settings.check_bind(address)


@pytest.mark.parametrize("address", ["", "localhost", "127.0.0", "127.0.0.256", "127.0.0.1:8888", "[::1]", "0"])
def test_what_is_no_address_is_refused(address):
    assert "lab_bind" in refusal(_settings.check_bind, address).what


@pytest.mark.parametrize("port", [1, 80, 8888, 65535, "8888"])
def test_port_is_taken(port):
    _settings.check_port("lab_port", port)


@pytest.mark.parametrize(
    "port", [0, -1, 65536, 10**30, "", "eighty", "88.5", 88.5, "8888 ", True, None, "٨٨٨٨", "0x50"]
)
def test_what_is_no_port_is_refused(port):
    error = refusal(_settings.check_port, "lab_container_port", port)
    assert "1 to 65535" in error.why
    assert "-e lab_container_port=" in error.do


@given(st.integers())
def test_port_is_taken_exactly_when_tcp_has_it(port):
    if 1 <= port <= 65535:
        _settings.check_port("lab_port", port)
    else:
        with pytest.raises(LabError):
            _settings.check_port("lab_port", port)


@pytest.mark.parametrize(
    "endpoint",
    ["", "https://s3.example.org", "http://127.0.0.1:8333", "http://[::1]:8333", "https://s3.example.org/path/"],
)
def test_endpoint_that_is_the_url_of_a_server_is_taken(endpoint):
    _settings.check_endpoint(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "s3.example.org",
        "127.0.0.1:8333",
        "s3://desidata",
        "ftp://s3.example.org",
        "https://",
        "http://:8333",
        "http://server:port",
        "http://server:0",
        "http://server:99999",
        "http://my server",
        "http://server/?x=1",
        "http://[::1",
        "/data",
    ],
)
def test_endpoint_that_is_no_url_of_a_server_is_refused(endpoint):
    assert refusal(_settings.check_endpoint, endpoint).why == "It is not the URL of an S3 server."


@pytest.mark.parametrize("secret", ["ann:s3cret", "s3cret", ":s3cret"])
def test_endpoint_with_a_name_or_password_is_refused_without_repeating_it(secret):
    error = refusal(_settings.check_endpoint, f"https://{secret}@s3.example.org")
    assert "password" in error.why
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("bucket", ["desidata", "my.bucket-2", "abc", "a" * 63])
def test_bucket_name_is_taken(bucket):
    _settings.check_bucket(bucket)


@pytest.mark.parametrize(
    "bucket", ["", "ab", "a" * 64, "Desidata", "desi_data", "s3://desidata", "desidata/edr", "-desidata", "desidata-"]
)
def test_what_s3_does_not_take_as_a_bucket_is_refused(bucket):
    assert "lab_prefix" in refusal(_settings.check_bucket, bucket).do


@pytest.mark.parametrize("size", ["", "50GiB", "50 GiB", "1.5T", "512M", "20gb"])
def test_size_is_taken(size):
    _settings.check_cache_max(size)


@pytest.mark.parametrize("size", ["big", "-1G", "1,5G", "GiB", "0GiB", "0", "50 Gigs", "50%", "1e9"])
def test_what_is_no_size_is_refused(size):
    assert "-e lab_cache_max=50GiB" in refusal(_settings.check_cache_max, size).do


@pytest.mark.parametrize(
    "image", ["embedded", "ghcr.io/desihub/desidocker:main", "/src/lab", "git@example.org:me/lab.git"]
)
def test_image_that_can_be_had_is_taken(image):
    _settings.check_image(image)


@pytest.mark.parametrize("image", ["", "https://github.com/flyorboom/docker-aws-jupyter", "./lab", "Embedded"])
def test_image_that_can_be_had_from_nowhere_is_refused(image):
    assert f'"{image}"' in refusal(_settings.check_image, image).what


def test_sound_values_are_taken():
    _settings.check_values(SOUND, RELEASES)


def test_values_that_are_not_given_are_not_looked_at():
    _settings.check_values({}, RELEASES)
    _settings.check_values({"lab_release": "dr1"}, RELEASES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lab_name", "My Lab"),
        ("lab_release", "dr3"),
        ("lab_data", "desi"),
        ("lab_folder", "work"),
        ("lab_folder", None),
        ("lab_bind", "localhost"),
        ("lab_port", 70000),
        ("lab_port", "eighty"),
        ("lab_container_port", 0),
        ("lab_endpoint", "server"),
        ("lab_bucket", "s3://desidata"),
        ("lab_cache", "cache"),
        ("lab_cache_max", "much"),
    ],
)
def test_one_value_that_cannot_work_is_refused_by_its_name(name, value):
    error = refusal(_settings.check_values, {**SOUND, name: value}, RELEASES)
    assert error.what == f"The setting {name}={value} cannot work."


def test_image_that_cannot_work_is_refused_among_the_values():
    refusal(_settings.check_values, {**SOUND, "lab_image": "My Image"}, RELEASES)


def test_release_is_judged_by_the_data_that_it_comes_from():
    _settings.check_values({**SOUND, "lab_release": "dr2", "lab_data": "/data/desi"}, RELEASES)
    refusal(_settings.check_values, {**SOUND, "lab_release": "dr2"}, RELEASES)
    refusal(_settings.check_values, {"lab_release": "dr2"}, RELEASES)
