# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess

import pytest
from desi_lab import environment, person, releases
from desi_lab.trouble import UNKNOWN_SETTING, Trouble
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("given_name", "name", "specprod"),
    [
        ("edr", "edr", "fuji"),
        ("EDR", "edr", "fuji"),
        (" Dr1 ", "dr1", "iron"),
        ("dr2", "dr2", "loa"),
        ("", "edr", "fuji"),
    ],
)
def test_a_release_is_found_whatever_its_case(given_name, name, specprod):
    release = releases.wanted({"DESI_RELEASE": given_name})
    assert (release.name, release.specprod) == (name, specprod)


def test_without_a_release_the_default_one_is_taken():
    assert releases.wanted({}).name == "edr"


@pytest.mark.parametrize("name", ["dr9", "edr/../dr1", "fuji", "$(id)", "ėdr"])
def test_an_unknown_release_is_refused_and_the_known_ones_are_listed(name):
    with pytest.raises(Trouble) as caught:
        releases.wanted({"DESI_RELEASE": name})
    assert caught.value.code == UNKNOWN_SETTING == 2
    assert name in caught.value.what
    assert "edr, dr1, dr2" in caught.value.why


def test_only_released_data_are_called_public():
    assert {name for name, release in releases.known().items() if release.public} == {"edr", "dr1"}


def test_the_environment_of_a_bucket_points_beside_the_release_for_raw_data_and_targets(bucket_like):
    variables = environment.derive({"HOME": "/home/desi"}, releases.wanted({"DESI_RELEASE": "DR1"}), bucket_like)
    root = f"{bucket_like}/dr1"
    assert variables == {
        "DESI_DATA": str(bucket_like),
        "DESI_DATA_CACHE": "/var/cache/desidata",
        "DESI_RELEASE": "dr1",
        "DESI_ROOT": root,
        "DESI_ROOT_READONLY": root,
        "DESI_SPECTRO_REDUX": f"{root}/spectro/redux",
        "DESI_SPECTRO_CALIB": f"{root}/spectro/desi_spectro_calib",
        "DESI_SPECTRO_DATA": f"{bucket_like}/raw_spectro_data",
        "DESI_TARGET": f"{bucket_like}/target",
        "DESI_SURVEYOPS": f"{root}/survey/ops/surveyops/trunk",
        "DESI_NERSC": "/global/cfs/cdirs/desi",
        "DESI_DATA_NERSC": "/global/cfs/cdirs/desi/public",
        "DESI_HUB": "/home/desi/desihub",
        "DESIMODEL": "/home/desi/desihub/desimodel",
        "RR_TEMPLATE_DIR": "/home/desi/desihub/redrock-templates",
        "SPECPROD": "iron",
        "SCRATCH": "/home/desi/scratch",
        "SYNCED": "/home/synced",
        "DESI_LAB_ENVIRONMENT": "1",
    }


def test_the_environment_of_a_nersc_copy_points_into_the_release(nersc_like):
    variables = environment.derive({}, releases.wanted({}), nersc_like)
    assert variables["DESI_SPECTRO_DATA"] == f"{nersc_like}/edr/spectro/data"
    assert variables["DESI_TARGET"] == f"{nersc_like}/edr/target"


def test_where_both_layouts_are_there_the_one_of_the_bucket_wins(bucket_like):
    (bucket_like / "edr" / "target").mkdir()
    assert environment.derive({}, releases.wanted({}), bucket_like)["DESI_TARGET"] == f"{bucket_like}/target"


def test_what_the_person_set_by_hand_stays_and_an_empty_value_counts_as_unset(bucket_like):
    env = {"SPECPROD": "guadalupe", "SCRATCH": "", "DESI_RELEASE": "DR1"}
    variables = environment.derive(env, releases.wanted(env), bucket_like)
    assert variables["SPECPROD"] == "guadalupe"
    assert variables["SCRATCH"] == "/home/desi/scratch"
    assert variables["DESI_RELEASE"] == "dr1"


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({"DESI_DATA": "/a", "DESI_BUCKET": "/b"}, "/a"),
        ({"DESI_BUCKET": "/b"}, "/b"),
        ({"DESI_DATA": ""}, "/home/desibucket"),
    ],
)
def test_the_data_folder_is_named_by_either_generation_of_images(env, folder):
    assert str(environment.data_folder(env)) == folder


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_the_environment_file_gives_a_shell_any_value_back_unchanged(value):
    script = environment.as_shell({"DESI_ROOT": value}) + 'printf %s "$DESI_ROOT"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == value


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_a_switch_is_on(value):
    assert environment.flag({"DESI_LAB_SYNTHETIC": value}, "DESI_LAB_SYNTHETIC")


@pytest.mark.parametrize("value", ["", "0", "false", "No", " "])
def test_a_switch_is_off(value):
    assert not environment.flag({"DESI_LAB_SYNTHETIC": value}, "DESI_LAB_SYNTHETIC")


@pytest.mark.parametrize("value", ["0", "65536", "-1", "http", "8888 ", "\uff18\uff18", "1e3"])
def test_a_port_that_is_none_is_refused(value):
    with pytest.raises(Trouble) as caught:
        environment.port({"JUPYTER_PORT": value})
    assert caught.value.code == 2


@pytest.mark.parametrize(("value", "port"), [("1", 1), ("65535", 65535), ("", 8888)])
def test_a_port_is_taken(value, port):
    assert environment.port({"JUPYTER_PORT": value}) == port


def test_a_user_who_names_nobody_is_1000():
    assert person.wanted({"NB_UID": ""}) == (1000, 1000)


def test_root_stays_root_when_asked_to():
    assert person.wanted({"NB_UID": "0", "NB_GID": "0"}) == (0, 0)


@pytest.mark.parametrize("value", ["ann", "-1", "1000:1000", "4294967295", "٣", "1 0"])
@pytest.mark.parametrize("name", ["NB_UID", "NB_GID"])
def test_a_user_that_is_no_number_is_refused(name, value):
    with pytest.raises(Trouble) as caught:
        person.wanted({name: value})
    assert f"{name}={value}" in caught.value.what
    assert caught.value.code == 2


@pytest.mark.parametrize(("line", "mask"), [("CapEff:\t00000000a82425fb\n", 0xA82425FB), ("Name: x\n", 0)])
def test_capabilities_are_read_from_the_kernel(tmp_path, line, mask):
    status = tmp_path / "status"
    status.write_text(f"Name:\tpython\n{line}")
    assert person.capabilities(status) == mask


def test_the_way_down_from_root_has_no_way_back(monkeypatch):
    monkeypatch.setattr(person, "capabilities", lambda: 1 << person.CAP_SETPCAP)
    command = person.becoming(4711, 4712, ["jupyter", "lab"])
    assert command[:5] == ["setpriv", "--reuid", "4711", "--regid", "4712"]
    assert {"--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"} <= set(command)
    assert command[command.index("--") + 1 :] == ["jupyter", "lab"]


@pytest.mark.parametrize(
    ("euid", "held", "uid", "may"),
    [
        (1000, 0xFFFFFFFF, 1000, False),
        (0, 0, 1000, False),
        (0, 1 << 6 | 1 << 7, 1000, True),
        (0, 1 << 7, 1000, False),
        (0, 1 << 6 | 1 << 7, 0, False),
        (0, 1 << 8, 0, True),
    ],
)
def test_root_steps_down_only_where_it_can_and_only_once(monkeypatch, euid, held, uid, may):
    monkeypatch.setattr(person.os, "geteuid", lambda: euid)
    monkeypatch.setattr(person, "capabilities", lambda: held)
    assert person.may_become(uid) is may


def test_a_bare_number_gets_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(person.os, "getuid", lambda: 471147)
    monkeypatch.setattr(person.os, "getgid", lambda: 471148)
    assert person.name_myself("/home/desi", tmp_path) == "desi"
    assert (tmp_path / "passwd").read_text() == "desi:x:471147:471148:DESI Lab:/home/desi:/bin/bash\n"
    assert (tmp_path / "group").read_text() == "desi:x:471148:\n"


def test_a_user_who_has_a_name_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setattr(person.os, "getuid", lambda: 0)
    assert person.name_myself("/home/desi", tmp_path) == "root"
    assert not list(tmp_path.iterdir())
