# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import string
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._lab.shared_directory import (
    CREDENTIALS,
    HAS,
    HOLDS_CREDENTIALS,
    PRODUCT,
    SYSTEM,
    Around,
    choose,
    refusal,
    why_not_shared,
)

CLONE = "/home/ann/software/desi-lab"
LINUX = Around(
    homes=("/home/ann", "/root", "/"),
    programs=(CLONE, "/opt/venv"),
    private=("/scratch/ann/config", "/scratch/ann/cache"),
)
MAC = Around(homes=("/Users/ann",), any_case=True)
WORK = st.text(alphabet=string.ascii_lowercase + "0123456789 _-", min_size=1, max_size=8).filter(
    lambda name: name != "bin"
)
BELOW = st.lists(WORK, max_size=3).map("/".join)
GUARDED = st.sampled_from(
    [
        *SYSTEM,
        *PRODUCT,
        *LINUX.programs,
        *LINUX.private,
        *(f"/home/ann/{name}" for name in (".ssh", ".aws", ".gnupg", ".config", ".cache", ".local", ".docker")),
        *(f"/home/bob/{name}" for name in (".ssh", ".mozilla")),
    ]
)

# ruff: noqa: S108 - temporary folders are named here, and not used

pytestmark = pytest.mark.security("H3", "P2")


@given(GUARDED, BELOW)
def test_nothing_that_lies_in_what_is_guarded_is_shared(folder, below):
    assert why_not_shared(f"{folder}/{below}".rstrip("/"), [], LINUX)


@given(GUARDED)
def test_nothing_that_holds_what_is_guarded_is_shared(folder):
    for above in PurePosixPath(folder).parents:
        assert why_not_shared(str(above), [], LINUX), above


@given(
    st.sampled_from(["/home/ann", "/home/bob", "/data", "/mnt/disk", "/media/ann/disk", "/run/media/ann/disk", "/tmp"]),
    WORK,
    BELOW,
)
def test_a_folder_for_work_is_shared_wherever_it_is(disk, name, below):
    around = Around(homes=("/home/ann",), programs=("/home/ann/software/desi lab",))
    path = f"{disk}/{name}/{below}".rstrip("/")
    if not path.startswith("/home/ann/software"):
        assert why_not_shared(path, ["spectra.ipynb", ".git"], around) == ""


@given(
    st.sampled_from(
        ["/Users/ann", "/Users/ann/.ssh", "/Users/ann/Library", "/System", "/Library", "/private/etc", "/Users"]
    ),
    st.data(),
)
def test_case_does_not_matter_where_the_file_system_does_not_see_it(folder, data):
    written = "".join(data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in folder)
    assert why_not_shared(written, [], MAC)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/home", "/home/ann", "/home/bob", "/root", "/Users", "/Users/bob", "/var/home/bob", "/private", "/var"),
        *("/var/lib/docker", "/var/log", "/var/spool/cron", "/run/user/1000", "/opt", "/srv", "/tmp", "/mnt", "/media"),
        *("/home/ann/bin", "/home/ann/snap", "/Volumes", "/private/var/root", "/private/var/db/x"),
        *("/mnt/c", "/mnt/c/Users", "/mnt/c/Users/ann", "/mnt/c/Users/ann/AppData/Roaming", "/mnt/c/Windows/System32"),
        *("/home/ann/software", f"{CLONE}/docs", f"{CLONE}/.venv/bin", "/opt/venv/lib"),
        *(f"/data/project/{name}/x" for name in CREDENTIALS),
    ],
)
def test_folders_of_a_kind_are_refused_with_a_reason(path):
    assert why_not_shared(path, [], LINUX).endswith(".")


@pytest.mark.parametrize(
    "path",
    [
        *("/home/ann/work", "/home/ann/desi-labs/desi", "/home/ann/software-of-mine", "/home/annette/work"),
        *("/opt/desi", "/srv/desi/ann", "/var/tmp/work", "/var/home/ann/work", "/mnt/c/Users/ann/work", "/rootless"),
        *("/homework", "/usr2/ann", "/scratch/ann/work", "/private/tmp/work", "/private/var/folders/ab/cd/T/work"),
    ],
)
def test_folders_whose_names_only_begin_alike_are_shared(path):
    assert why_not_shared(path, [], LINUX) == ""


def test_work_in_a_home_that_lies_among_the_systems_folders_is_shared():
    around = Around(homes=("/var/lib/astro",))
    assert why_not_shared("/var/lib/astro/work", [], around) == ""
    assert why_not_shared("/var/lib/astro", [], around)
    assert why_not_shared("/var/lib/astro/.ssh", [], around)
    assert why_not_shared("/usr/lib/astro/work", [], Around(homes=("/usr/lib/astro",)))


def test_a_home_that_is_the_whole_computer_allows_nothing():
    assert why_not_shared("/etc/x", [], Around(homes=("/",)))
    assert why_not_shared("/data/work", [], Around(homes=("/",))) == ""


@pytest.mark.parametrize("name", HOLDS_CREDENTIALS)
def test_a_folder_that_holds_keys_or_what_runs_at_log_in_is_refused(name):
    assert name in why_not_shared("/data/home/ann", ["work", name], LINUX)


def test_what_is_asked_for_is_taken_and_else_where_one_stands_unless_that_is_refused():
    def why(path):
        return "It is a home." if path == "/home/ann" else ""

    assert choose("/home/ann", "/data", "/own", False, why) == ("/home/ann", "")
    assert choose("", "/data", "/own", False, why) == ("/data", "")
    assert choose("", "/home/ann", "/own", False, why) == ("/own", "It is a home.")
    assert choose("", "/data", "/own", True, why) == ("/own", "")
    assert choose("", "", "/own", False, why) == ("/own", "")
    # A lab keeps what it has, wherever somebody stands, unless another one is given or belongs to the verb.
    assert choose("", "/data", "/l/own", False, why, "/work") == ("/work", HAS)
    assert choose("", "/work", "/l/own", False, why, "/work") == ("/work", "")
    assert choose("/data", "/home", "/l/own", False, why, "/work") == ("/data", "")
    assert choose("", "/data", "/l/demo", True, why, "/work") == ("/l/demo", "")
    assert choose("", "/data", "/l/own", False, why, "/l/demo") == ("/data", "")


def test_a_refusal_names_what_would_be_shared_a_better_folder_and_the_way_past_it():
    told = str(refusal("/home/ann/link", "/home/ann/.ssh", "It lies in keys.", "/home/ann/my labs/desi"))
    better = "lab_folder='/home/ann/my labs/desi'."
    for part in ("/home/ann/link", "/home/ann/.ssh", "It lies in keys.", better, "lab_folder_anyway=true"):
        assert part in told
