# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import subprocess

import pytest
from desi_lab import environment, person, releases
from desi_lab.errors import UNKNOWN_SETTING, StartError
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({"DESI_RELEASE": ""}, ("edr", "fuji", True)),
        ({"DESI_RELEASE": " Dr1 "}, ("dr1", "iron", True)),
        ({"DESI_RELEASE": "dr2"}, ("dr2", "loa", False)),
    ],
)
def test_a_release_is_found_whatever_its_case(env, found):
    release = releases.requested(env)
    assert (release.name, release.specprod, release.public) == found


@pytest.mark.parametrize("name", ["edr/../dr1", "ėdr"])
def test_an_unknown_release_is_refused_and_the_known_ones_are_listed(name):
    with pytest.raises(StartError) as caught:
        releases.requested({"DESI_RELEASE": name})
    assert caught.value.code == UNKNOWN_SETTING == 2
    assert name in caught.value.what
    assert "edr, dr1, dr2" in caught.value.why


def test_the_environment_of_a_bucket_points_beside_the_release_for_raw_data_and_targets(bucket_like):
    variables = environment.derive({"HOME": "/home/desi"}, releases.requested({"DESI_RELEASE": "DR1"}), bucket_like)
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
        "SPECPROD": "iron",
        "SCRATCH": "/home/desi/scratch",
        "SYNCED": "/home/synced",
        "DESI_LAB_ENVIRONMENT": "1",
    }


@pytest.mark.parametrize(
    ("there", "given", "found"),
    [
        ((), {}, {}),
        (("home/desihub",), {}, {"DESI_HUB": "home/desihub"}),
        (
            ("home/desihub", "synced/desihub/redrock-templates"),
            {},
            {"DESI_HUB": "synced/desihub", "RR_TEMPLATE_DIR": "synced/desihub/redrock-templates"},
        ),
        (("data/redrock-templates",), {}, {"RR_TEMPLATE_DIR": "data/redrock-templates"}),
        (
            ("mine/desimodel", "synced/desihub"),
            {"DESI_HUB": "mine"},
            {"DESI_HUB": "mine", "DESIMODEL": "mine/desimodel"},
        ),
        ((), {"DESIMODEL": "later"}, {"DESIMODEL": "later"}),
    ],
    ids=["nothing", "home", "kept folder first", "with the data", "hub by hand", "by hand"],
)
def test_software_that_is_no_package_is_named_only_where_it_is(tmp_path, there, given, found):
    for place in there:
        (tmp_path / place).mkdir(parents=True)
    env = {"HOME": str(tmp_path / "home"), "SYNCED": str(tmp_path / "synced")}
    env |= {name: str(tmp_path / place) for name, place in given.items()}
    variables = environment.derive(env, releases.requested({}), tmp_path / "data")
    names = ("DESI_HUB", "DESIMODEL", "RR_TEMPLATE_DIR")
    assert {name: variables[name] for name in names if name in variables} == {
        name: str(tmp_path / place) for name, place in found.items()
    }


def test_a_nersc_copy_keeps_raw_data_and_targets_inside_and_the_layout_of_the_bucket_wins(nersc_like, bucket_like):
    variables = environment.derive({}, releases.requested({}), nersc_like)
    assert variables["DESI_SPECTRO_DATA"] == f"{nersc_like}/edr/spectro/data"
    assert variables["DESI_TARGET"] == f"{nersc_like}/edr/target"
    (bucket_like / "edr" / "target").mkdir()
    assert environment.derive({}, releases.requested({}), bucket_like)["DESI_TARGET"] == f"{bucket_like}/target"


def test_what_the_person_set_by_hand_stays_and_an_empty_value_counts_as_unset(bucket_like):
    env = {"SPECPROD": "guadalupe", "SCRATCH": "", "DESI_RELEASE": "DR1"}
    variables = environment.derive(env, releases.requested(env), bucket_like)
    assert [variables[name] for name in env] == ["guadalupe", "/home/desi/scratch", "dr1"]


@pytest.mark.parametrize(
    ("read", "env", "value"),
    [
        (environment.data_folder, {"DESI_DATA": "/a", "DESI_BUCKET": "/b"}, "/a"),
        (environment.data_folder, {"DESI_BUCKET": "/b"}, "/b"),
        (environment.data_folder, {"DESI_DATA": ""}, "/home/desibucket"),
        (environment.port, {"JUPYTER_PORT": "1"}, "1"),
        (environment.port, {"JUPYTER_PORT": "65535"}, "65535"),
        (environment.port, {"JUPYTER_PORT": ""}, "8888"),
        (person.requested, {"NB_UID": ""}, "(1000, 1000)"),
        (person.requested, {"NB_UID": "0", "NB_GID": "0"}, "(0, 0)"),
    ],
)
def test_settings_have_defaults(read, env, value):
    assert str(read(env)) == value


@pytest.mark.parametrize(
    ("read", "name", "value"),
    [
        *((environment.port, "JUPYTER_PORT", value) for value in ["0", "65536", "-1", "http", "\uff18\uff18"]),
        *((person.requested, "NB_UID", value) for value in ["ann", "1000:1000", "4294967295", "٣"]),
        (person.requested, "NB_GID", "ann"),
    ],
)
def test_ports_and_users_that_are_none_are_refused_by_name(read, name, value):
    with pytest.raises(StartError) as caught:
        read({name: value})
    assert f"{name}={value}" in caught.value.what
    assert caught.value.code == 2


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_the_environment_file_gives_a_shell_any_value_back_unchanged(value):
    script = environment.as_shell({"DESI_ROOT": value}) + 'printf %s "$DESI_ROOT"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == value


@pytest.mark.parametrize(("values", "on"), [(["1", "true", "YES", "on"], True), (["", "0", "false", "No", " "], False)])
def test_a_switch_is_on_or_off(values, on):
    assert {environment.flag({"DESI_LAB_SYNTHETIC": value}, "DESI_LAB_SYNTHETIC") for value in values} == {on}


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


@pytest.mark.parametrize(("uid", "name"), [(471147, "desi"), (0, "root")])
def test_a_bare_number_gets_a_name_and_a_user_who_has_one_keeps_it(tmp_path, monkeypatch, uid, name):
    monkeypatch.setattr(person.os, "getuid", lambda: uid)
    monkeypatch.setattr(person.os, "getgid", lambda: 471148)
    assert person.name_myself("/home/desi", tmp_path) == name
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    user = "desi:x:471147:471148:DESI Lab:/home/desi:/bin/bash\n"
    assert written == ({"passwd": user, "group": "desi:x:471148:\n"} if uid else {})
