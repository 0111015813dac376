# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError, failure
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import make_spec
from ansible_collections.desi.lab.plugins.plugin_utils import _settings

ROOT = Path(__file__).parents[4]
RELEASES = {
    "edr": {"specprod": "fuji", "public": True},
    "dr1": {"specprod": "iron", "public": True},
    "dr2": {"specprod": "loa", "public": False},
}
KNOWN = ["lab_name", "lab_port", "lab_container_port", "lab_data", "lab_data_writable", "lab_bind"]
EVERY = ("lab_release", *_settings.CHECKS, *_settings.LIST_CHECKS)
PATHS = {"good": ["", "/", "/home/ann/my work"], "bad": ["work", "./work", "~/work", "../x", None, "/a/12:00/b"]}
PORTS = {
    "good": [1, 80, 8888, 65535, "8888"],
    "bad": [0, -1, 65536, 10**30, "", "eighty", "88.5", 88.5, "8888 ", True, None, "٨٨٨٨", "0x50"],
}
GOOD = {
    "lab_name": ["desi", "d", "7", "my-lab-2", "a" * 40, "sample", "mount"],
    "lab_release": ["edr", "EDR", "Dr1"],
    "lab_data": ["s3", "sample", "/data/desi", "/data/my desi"],
    "lab_folder": PATHS["good"],
    "lab_cache": ["", "/scratch/desi-lab"],
    "lab_image": ["embedded", "ghcr.io/desihub/desidocker:main", "/src/lab", "git@example.org:me/lab.git"],
    "lab_bind": ["127.0.0.1", "0.0.0.0", "192.0.2.7", "::1", "::"],  # noqa: S104 - read, not bound
    "lab_port": PORTS["good"],
    "lab_container_port": PORTS["good"],
    "lab_endpoint": [
        *("", "https://s3.example.org", "http://127.0.0.1:8333", "http://[::1]:8333", "https://s3.example.org/path/")
    ],
    "lab_prefix": ["", "dr1", "/edr/spectro/", "my data/dr1..old"],
    "lab_bucket": ["desidata", "my.bucket-2", "abc", "a" * 63],
    "lab_cache_max": ["", "50GiB", "50 GiB", "1.5T", "1G", "20gb"],
    "lab_timeout": [1, "600", 86400],
    "lab_memory": ["", "256MiB", "1.5g", "8000000000", "2GiB"],
    "lab_cpus": [0, "0.0", "0.1", "64.0", "1.5"],
    "lab_workers": [0, "2", 256],
    "lab_worker_memory": ["", "2GiB"],
    "lab_worker_type": ["", "m6i.xlarge"],
    "lab_workers_least": [1, "2", 256],
    "lab_region": ["us-west-2", "eu-central-1", "us-gov-west-1", "ap-southeast-7"],
    "lab_bucket_region": ["us-west-2", "garage"],
    "lab_regions": ["", [], "us-west-2, us-east-1", ["us-west-2"]],
    "lab_instance_type": ["t2.micro", "t3.xlarge,t3a.xlarge", ["m7i.large", "u-6tb1.56xlarge"], "t3.large, t3a.large"],
    "lab_disk_gib": [8, "30", 16384],
    "lab_allow_from": [
        *("auto", ["203.0.113.7"], "203.0.113.0/24,2001:db8::/48", ["auto", "198.51.100.0/25"], "0.0.0.0/0")
    ],
    "lab_security_group": ["jupyter", "my group (1)"],
    "lab_subnet": ["", "subnet-0123456789abcdef0", "subnet-1a2b3c4d"],
    "lab_host_key": ["", "SHA256:" + "a" * 43],
    "lab_domain": ["", "desi.example.org", "a-b.example.co.uk"],
    "lab_idle_minutes": [0, 1, "60", 10080],
    "lab_max_hours": [0, "12", 8760],
    "lab_expire_days": [0, 14, "365"],
    "lab_expire_role": ["", "make", "desi-lab-expiry-ann", "arn:aws:iam::123456789012:role/path/theirs"],
}
BAD = {
    "lab_name": [
        *("", "Desi", "my lab", "my_lab", "-x", "a" * 41, "a/b", "a.b", "désí", "desi\n", "$(id)", "../etc"),
        *("desi-sample", "mount-desidata-0a1b2c3d", "desi-scheduler", "desi-worker-12", "desi-before"),
    ],
    "lab_release": ["", "dr9", "fuji", "edr ", "dr2"],
    "lab_data": ["desi", "./my desi", "~/desi", "S3", "Sample", "", "s3://desidata", "/data/12:00/desi"],
    "lab_folder": PATHS["bad"],
    "lab_cache": [*PATHS["bad"], "/", "//", "/a/.."],
    "lab_image": ["", "https://github.com/flyorboom/docker-aws-jupyter", "./lab", "Embedded"],
    "lab_bind": ["", "localhost", "127.0.0", "127.0.0.256", "127.0.0.1:8888", "[::1]", "0"],
    "lab_port": PORTS["bad"],
    "lab_container_port": PORTS["bad"],
    "lab_endpoint": [
        *("s3.example.org", "127.0.0.1:8333", "s3://desidata", "ftp://s3.example.org", "https://", "http://:8333"),
        *("http://server:port", "http://server:0", "http://server:99999", "http://my server", "http://server/?x=1"),
        *("http://[::1", "/data", "https://s3.example.org/a%20b", "https://größe.example.org"),
    ],
    "lab_prefix": ["a//b", "../x", "dr1/..", "a\nb"],
    "lab_bucket": [
        *("", "ab", "a" * 64, "Desidata", "desi_data", "s3://desidata", "desidata/edr", "-desidata", "desidata-")
    ],
    "lab_cache_max": [
        "big",
        "-1G",
        "1,5G",
        "GiB",
        "0GiB",
        "0",
        "50 Gigs",
        "50%",
        "1e9",
        "50",
        "63MiB",
        "9" * 400 + "GiB",
    ],
    "lab_timeout": [0, -5, 86401, 100000, "2m", 1.5, ""],
    "lab_memory": ["much", "-1GiB", "0", "0GiB", "255MiB", "64", "nan", "8GiB;reboot", "9" * 400],
    "lab_cpus": ["many", -1, 0.01, "nan", "inf", "2--privileged"],
    "lab_workers": [-1, "-2", "two", 257, 10**9, 1.5, "", True, None],
    "lab_worker_memory": ["much", "1MiB"],
    "lab_worker_type": ["large", "M6I.XLARGE", "m6i.xlarge,t3.micro"],
    "lab_workers_least": [0, -1, "one", 257, ""],
    "lab_region": ["", "us-west-2a", "US-WEST-2", "oregon", "us_west_2"],
    "lab_bucket_region": ["", "us-west-2/x", "a.b", "-x"],
    "lab_regions": ["usa", "us-west-2,*", ["../x"]],
    "lab_instance_type": ["", "micro", "t2.micro,", "t2 micro", "T2.micro", [], ["t2.micro", None]],
    "lab_disk_gib": [7, 16385, "30GiB", "", -1, 30.5, True, None],
    "lab_allow_from": ["", "me", "203.0.113.0/33", "300.1.1.1", [], ["auto", "home"], "0.0.0.0/0;"],
    "lab_security_group": ["", "sg-0123", "jupyter ", "größe", "x" * 201],
    "lab_subnet": ["subnet", "subnet-xyz", "sg-0123456789abcdef0", "subnet-0123456789ABCDEF0"],
    "lab_host_key": ["SHA256:", "SHA256:" + "a" * 44, "MD5:00:11", "a" * 43, "SHA256:" + "a" * 42 + " "],
    "lab_domain": [
        *("https://desi.example.org", "desi", "desi.example.org:443", "-a.example.org", "a..org", "203.0.113.7")
    ],
    "lab_idle_minutes": [-1, "-60", 10081, "1h", "", 0.5, True, None, "1e3"],
    "lab_max_hours": [-1, 8761, "12h", "", 1.5, False, None, "inf", "٣"],
    "lab_expire_days": [-1, "", "two weeks", 1.5, 10000, None],
    "lab_expire_role": ["my role", "arn:aws:iam::1:role/x", "rôle", "x" * 65],
}


def refusal(values, errors_of=lambda values: _settings.value_errors(values, RELEASES)) -> LabError:
    (error,) = errors_of(values)
    for sentence in (error.what, error.why, error.do):
        assert sentence == sentence.strip()
        assert sentence[0].isupper()
    assert error.why.endswith(".")
    return error


def test_every_check_is_tried_with_good_and_bad_values():
    assert set(GOOD) == set(BAD) == set(EVERY)


def test_every_setting_with_a_number_a_size_or_a_path_has_a_check():
    options = yaml.safe_load((ROOT / "roles/lab/meta/argument_specs.yml").read_text())["argument_specs"]["main"]
    kinds = {name: option["type"] for name, option in options["options"].items()}
    checked = {*EVERY, "lab_certificate", "lab_certificate_key"}
    assert {name for name, kind in kinds.items() if kind in ("int", "float", "path")} <= checked
    assert {name for name in kinds if re.search("memory|_max$|_gib$|minutes|hours|days", name)} <= checked
    assert checked <= set(kinds)


def test_valid_values_are_taken_one_by_one_and_together():
    for name, values in GOOD.items():
        for value in values:
            assert _settings.value_errors({name: value}, RELEASES) == []
    assert _settings.value_errors({name: values[-1] for name, values in GOOD.items()}, RELEASES) == []
    assert _settings.value_errors({}, RELEASES) == []


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_invalid_value_is_refused_by_its_name_among_valid_ones(name, value):
    error = refusal({**{other: values[0] for other, values in GOOD.items()}, name: value})
    assert f'"{value}"' in error.what if name == "lab_image" else name in error.what


@settings(max_examples=30)
@given(st.text(max_size=30) | st.integers() | st.none() | st.lists(st.text(max_size=10), max_size=3))
def test_no_value_is_answered_by_anything_but_a_refusal(value):
    for name in EVERY:
        _settings.value_errors({name: value}, RELEASES)


@pytest.mark.parametrize(
    ("values", "why", "do"),
    [
        ({"lab_name": "desi-sample"}, "another lab", "-e lab_name="),
        ({"lab_release": "dr9"}, "edr, dr1, dr2", "edr"),
        ({"lab_release": "DR2"}, "not public", "-e lab_data=/path"),
        ({"lab_release": "dr2", "lab_data": "sample"}, "not public", "-e lab_data=/path"),
        ({"lab_data": "./my desi"}, "neither s3", "$(realpath './my desi')"),
        ({"lab_data": "~/my desi"}, "neither s3", "$(realpath ~/'my desi')"),
        ({"lab_data": "S3"}, "lower-case", "-e lab_data=s3"),
        ({"lab_data": ""}, "empty", "Leave it out"),
        ({"lab_data": "EDR"}, "name of a release", "-e lab_release=edr."),
        ({"lab_data": "s3://mine/dr1"}, "an address", "-e lab_data=s3 -e lab_bucket=mine -e lab_prefix=dr1"),
        ({"lab_data": "S3://mine/dr1"}, "an address", "-e lab_data=s3 -e lab_bucket=mine -e lab_prefix=dr1"),
        ({"lab_data": "gs://mine/dr1"}, "an address", "Download the data"),
        ({"lab_data": "https://data.desi.lbl.gov/public"}, "an address", "-e lab_data=/path. Or stream them"),
        ({"lab_data": "https://data.desi.lbl.gov/public"}, "an address", "-e lab_endpoint=https://data.desi.lbl.gov"),
        ({"lab_data": "https://data.desi.lbl.gov"}, "an address", "Download the data"),
        ({"lab_data": "https://desidata.s3.amazonaws.com/edr"}, "an address", "-e lab_bucket=desidata -e lab_prefix"),
        ({"lab_bucket": "https://data.desi.lbl.gov"}, "3 to 63", "without s3://"),
        ({"lab_bucket": "https://[::1"}, "3 to 63", "without s3://"),
        ({"lab_data": "/data/2024-01-01T12:00/desi"}, "colon", "2024-01-01T12:00"),
        ({"lab_folder": "/data/2024-01-01T12:00/desi"}, "colon", "2024-01-01T12:00"),
        ({"lab_cache": "work"}, "absolute", "-e lab_cache="),
        ({"lab_cache": "/"}, "the whole computer", "-e lab_cache=/scratch/desi-lab"),
        ({"lab_folder": "/home/ann/a\nb"}, "line break", "Rename"),
        ({"lab_data": "/home/ann/\x1b[2J"}, "control character", "Rename"),
        ({"lab_folder": "C:\\Users\\ann"}, "Windows", "wslpath"),
        ({"lab_certificate": "C:/own.pem", "lab_certificate_key": "/own.key"}, "Windows", "wslpath"),
        ({"lab_container_port": 0}, "1 to 65535", "-e lab_container_port="),
        ({"lab_endpoint": "server"}, "not the URL of an S3 server", "https://server"),
        ({"lab_bucket": "s3://desidata"}, "3 to 63", "lab_prefix: -e lab_bucket=desidata"),
        ({"lab_bucket": "s3://mine/dr1/x"}, "3 to 63", "-e lab_bucket=mine -e lab_prefix=dr1/x"),
        ({"lab_bucket": "https://m.org/mine/dr1"}, "3 to 63", "-e lab_bucket=mine -e lab_endpoint=https://m.org"),
        ({"lab_endpoint": "https://desidata.mirror.org"}, "name of the bucket", "-e lab_endpoint=https://mirror.org"),
        ({"lab_bucket_region": "US-West-2"}, "small letters", "-e lab_bucket_region=us-west-2"),
        ({"lab_prefix": "a//b"}, "not a folder inside the bucket", "-e lab_prefix=dr1/spectro"),
        ({"lab_cache_max": "much"}, "not a size", "-e lab_cache_max=50GiB"),
        ({"lab_cache_max": "32MiB"}, "A cache needs 64MiB at the least.", "-e lab_cache_max=50GiB"),
        ({"lab_cache_max": "50"}, "A number without a unit is one of bytes.", "-e lab_cache_max=50GiB"),
        ({"lab_memory": "much"}, "not a size", "-e lab_memory=8GiB"),
        ({"lab_memory": "255MiB"}, "A lab needs 256MiB", "-e lab_memory=8GiB"),
        ({"lab_worker_memory": "1MiB"}, "A worker needs 256MiB", "-e lab_worker_memory=8GiB"),
        ({"lab_cpus": "many"}, "from 0.1 upwards, nor 0", "-e lab_cpus=2"),
    ],
)
def test_refusal_says_why_and_what_to_do(values, why, do):
    error = refusal(values)
    assert why in error.why
    assert do in error.do


@pytest.mark.security("M7")
@pytest.mark.parametrize("name", ["lab_data", "lab_bucket"])
def test_address_with_a_password_is_refused_without_repeating_it(name):
    assert "s3cret" not in str(refusal({name: "https://ann:s3cret@s3.example.org/mine"}))


@pytest.mark.parametrize("region", ["us-west-2", "RegionOne", "us west", "a.b", "x" * 41])
def test_bucket_that_the_settings_allow_can_be_mounted_and_no_other(region):
    endpoints = GOOD["lab_endpoint"] + BAD["lab_endpoint"]
    for prefix, endpoint in itertools.product(GOOD["lab_prefix"] + BAD["lab_prefix"], endpoints):
        given = {"lab_prefix": prefix, "lab_endpoint": endpoint, "lab_bucket_region": region, "lab_bucket": "mine"}
        spec = {name.split("_")[-1]: value for name, value in given.items()}
        if not _settings.value_errors(given, RELEASES):
            assert make_spec(spec)
        elif endpoint in GOOD["lab_endpoint"]:
            with pytest.raises(LabError):
                make_spec(spec)


def test_release_that_is_not_public_is_taken_from_a_folder_of_ones_own():
    assert _settings.value_errors({"lab_release": "dr2", "lab_data": "/data/desi"}, RELEASES) == []


def test_the_command_that_a_refused_path_is_answered_with_gives_the_whole_path(tmp_path):
    (tmp_path / "my desi").mkdir()
    command = refusal({"lab_data": "my desi"}).do.partition("-e ")[2].removesuffix(".")
    shell = ["/bin/sh", "-c", f"printf %s {command}"]
    done = subprocess.run(shell, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == f"lab_data={tmp_path}/my desi"


@pytest.mark.security("M7")
@pytest.mark.parametrize("secret", ["ann:s3cret", "s3cret", ":s3cret", "ann:a/s3cret", "ann:1#s3cret", "ann:a@/s3cret"])
def test_endpoint_with_a_name_or_password_is_refused_without_repeating_it(secret):
    error = refusal({"lab_endpoint": f"https://{secret}@s3.example.org"})
    assert "password" in error.why
    assert "s3cret" not in str(error)
    for name in ("lab_bucket", "lab_domain", "lab_bind"):
        assert "s3cret" not in str(refusal({name: f"https://{secret}@s3.example.org"}))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lab_prot", "lab_port"),
        ("lab_containerport", "lab_container_port"),
        ("lab_PORT", "lab_port"),
        ("lab_xyzzy_quux", None),
    ],
)
def test_unknown_name_is_refused_with_the_nearest_one(typed, meant):
    error = refusal(["lab_name", typed], lambda names: _settings.name_errors(names, KNOWN))
    assert error.what == f"There is no setting {typed}."
    assert error.why == (f"The nearest one is {meant}." if meant else "No setting has a name like it.")
    assert (f"-e {meant}=" if meant else "README.md") in error.do


def test_all_that_is_wrong_is_returned_at_once():
    errors = _settings.value_errors({"lab_port": 0, "lab_bind": "x", "lab_release": "dr9"}, RELEASES)
    assert [error.what.split("=")[0].split()[-1] for error in errors] == ["lab_bind", "lab_port", "lab_release"]
    assert "errors" not in failure(errors[:1])
    failed = failure(errors)
    assert failed["what"] == errors[0].what
    assert [each["why"] for each in failed["errors"]] == [error.why for error in errors]


@pytest.mark.parametrize(
    ("typed", "read"), [("a", ["a"]), ("a, b", ["a", "b"]), (["a", "b"], ["a", "b"]), (7, ["7"]), ("", [""])]
)
def test_a_list_is_read_in_every_form_in_which_people_give_it(typed, read):
    assert _settings.words(typed) == read


CERTIFICATE = {
    "lab_domain": "desi.example.org",
    "lab_certificate": "/etc/ssl/desi.pem",
    "lab_certificate_key": "/etc/ssl/private/desi.pem",
}


@pytest.mark.parametrize("values", [CERTIFICATE, {"lab_domain": "desi.example.org"}, {}])
def test_a_certificate_with_its_key_and_its_name_is_taken(values):
    _settings.check_certificate(values)


@pytest.mark.parametrize(("name", "value"), [*((name, "") for name in CERTIFICATE), ("lab_certificate", "desi.pem")])
def test_a_certificate_of_which_something_is_missing_or_relative_is_refused(name, value):
    error = refusal({**CERTIFICATE, name: value})
    assert name in error.what
    assert f"-e {name}=" in error.do
    assert value == "" or "absolute" in error.why
