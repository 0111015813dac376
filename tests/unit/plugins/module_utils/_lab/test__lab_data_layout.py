# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.text import shell_path
from ansible_collections.desi.lab.plugins.module_utils._lab import data_links
from ansible_collections.desi.lab.plugins.module_utils._lab.data_layout import (
    EXPECTED,
    Layout,
    productions,
    query_layout,
    read_layout,
    releases_of,
    with_links,
)
from ansible_collections.desi.lab.plugins.module_utils._lab.data_links import CHANGEABLE, RELATIVE, Bind, Limits

RELEASES = {"edr": {"specprod": "fuji"}, "dr1": {"specprod": "iron"}, "dr2": {"specprod": "loa"}}


def release(folder: Path, *specprods: str) -> Path:
    for specprod in specprods:
        (folder / "spectro" / "redux" / specprod / "healpix").mkdir(parents=True)
    return folder


@pytest.fixture
def bucket(tmp_path):
    """A folder as the public bucket has it."""
    release(tmp_path / "edr", "fuji")
    release(tmp_path / "dr1", "iron", "guadalupe")
    for name in ("raw_spectro_data", "target"):
        (tmp_path / name).mkdir()
    return tmp_path


def refusal(path: object, wanted: str = "edr") -> LabError:
    with pytest.raises(LabError) as caught:
        read_layout(str(path), wanted, RELEASES)
    for sentence in (caught.value.what, caught.value.why, caught.value.do):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "Errno" not in sentence
    return caught.value


def test_productions_are_the_folders_below_redux(tmp_path):
    release(tmp_path, "iron", "fuji")
    (tmp_path / "spectro" / "redux" / "README").touch()
    (tmp_path / "spectro" / "redux" / "gone").symlink_to("nowhere")
    assert productions(tmp_path) == ["fuji", "iron"]
    assert productions(tmp_path / "spectro") == []
    assert productions(tmp_path / "missing") == []


def test_releases_are_known_by_their_productions_in_the_order_of_the_table():
    assert releases_of(["iron", "fuji", "other"], RELEASES) == ["edr", "dr1"]
    assert releases_of([], RELEASES) == []


def test_folder_of_releases_is_bound_whole_and_a_single_one_under_its_name(bucket, tmp_path):
    for wanted, specprod in (("edr", "fuji"), ("DR1", "iron")):
        whole = Layout("releases", wanted.lower(), specprod, [Bind(str(bucket), "")])
        assert read_layout(str(bucket), wanted, RELEASES) == whole
    tiny = release(tmp_path / "tiny_dr1", "iron")
    assert read_layout(str(tiny), "dr1", RELEASES) == Layout("release", "dr1", "iron", [Bind(str(tiny), "dr1")])


@pytest.mark.parametrize("name", ["EDR", "fuji", "early data release", "edr-2023-06"])
def test_release_under_another_name_is_bound_under_its_own_with_what_lies_beside(tmp_path, name):
    release(tmp_path / name, "fuji")
    (tmp_path / "target").mkdir()
    (tmp_path / "raw_spectro_data").touch()
    found = [Bind(str(tmp_path / name), "edr"), Bind(str(tmp_path / "target"), "target")]
    assert read_layout(str(tmp_path), "edr", RELEASES).binds == found
    (tmp_path / "raw_spectro_data").unlink()
    (tmp_path / "raw_spectro_data").mkdir()
    found.insert(1, Bind(str(tmp_path / "raw_spectro_data"), "raw_spectro_data"))
    assert read_layout(str(tmp_path), "edr", RELEASES).binds == found


def test_folder_that_is_called_like_another_release_is_known_by_its_production(tmp_path):
    release(tmp_path / "dr1", "fuji")
    assert read_layout(str(tmp_path), "edr", RELEASES).binds == [Bind(str(tmp_path / "dr1"), "edr")]
    assert "dr1" in refusal(tmp_path, "dr1").what


def test_hidden_folders_are_no_releases_but_what_a_link_shows_of_them_is(tmp_path):
    release(tmp_path / ".bucket" / "edr", "fuji")
    assert refusal(tmp_path).why == "It is empty."
    (tmp_path / "edr").symlink_to(".bucket/edr")
    assert read_layout(str(tmp_path), "edr", RELEASES).binds == [Bind(str(tmp_path), "")]


@pytest.mark.parametrize("relative", [False, True])
def test_release_that_is_a_link_out_of_its_folder_is_bound_where_it_really_is(tmp_path, relative):
    big = release(tmp_path / "big disk" / "fuji-copy", "fuji")
    folder = tmp_path / "desi"
    folder.mkdir()
    (folder / "edr").symlink_to(os.path.relpath(big, folder) if relative else big)
    assert read_layout(str(folder), "edr", RELEASES).binds == [Bind(str(big), "edr")]
    # A link to the directory itself is used as it is.
    (tmp_path / "link").symlink_to(tmp_path / "big disk")
    assert read_layout(str(tmp_path / "link"), "edr", RELEASES).binds == [Bind(str(tmp_path / "link/fuji-copy"), "edr")]


def test_other_releases_are_refused_with_those_that_are_there(bucket, tmp_path_factory):
    assert "edr, dr1, dr2" in refusal(bucket, "dr9").why
    error = refusal(bucket, "dr2")
    assert (error.why, "-e lab_release=edr" in error.do) == ("It holds edr, dr1.", True)
    error = refusal(release(tmp_path_factory.mktemp("one") / "tiny_dr1", "guadalupe", "iron"), "edr")
    assert error.what.endswith("tiny_dr1 does not hold the release edr.")
    assert (error.why, "-e lab_release=dr1" in error.do) == ("It holds dr1.", True)


@pytest.mark.parametrize("below", ["", "main"])
def test_production_that_is_not_known_is_named_as_it_is(tmp_path, below):
    release(tmp_path / below, "matterhorn")
    error = refusal(tmp_path, "dr1")
    assert error.why == "It holds matterhorn."
    assert "lab_release" not in error.do


def test_folder_without_data_is_refused_with_what_was_expected(tmp_path):
    error = refusal(tmp_path)
    assert (error.what, error.why) == (f"The folder {tmp_path} holds no DESI data.", "It is empty.")
    (tmp_path / "edr" / "spectro" / "redux").mkdir(parents=True)
    assert refusal(tmp_path).why.endswith("What it has: edr.")
    for number in range(6):
        (tmp_path / f"photo{number}.jpg").touch()
    error = refusal(tmp_path)
    assert error.why.endswith("What it has: edr, photo0.jpg, photo1.jpg, photo2.jpg, photo3.jpg and 2 more.")
    assert error.do == EXPECTED


@pytest.mark.parametrize("part", ["spectro", "spectro/redux", "spectro/redux/fuji", "survey"])
def test_part_of_a_release_is_refused_with_the_whole(bucket, part):
    (bucket / "edr" / "survey" / "ops").mkdir(parents=True)
    error = refusal(bucket / "edr" / part)
    assert error.why == "It is a part of a release."
    assert error.do == f"Give the whole release: {bucket / 'edr'}."


def test_path_that_is_no_folder_is_refused_with_the_reason(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle").symlink_to("circle")
    assert refusal(tmp_path / "a" / "b").do == f"Check the path: only {tmp_path} exists."
    for path, why in (
        ("a/b", "It does not exist."),
        ("gone", "It does not exist."),
        ("file", "It is a file, not a folder."),
        ("file/edr", "A part of its path is a file."),
        ("circle", "Too many levels of symbolic links."),
    ):
        assert refusal(tmp_path / path).why == why

    def fail(_path):
        raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr(Path, "iterdir", fail)
    error = refusal(tmp_path)
    assert (error.why, "disk or server" in error.do) == ("Transport endpoint is not connected.", True)


NOBODY = 65534


def seen_by_somebody_else(path: Path) -> str:
    """What read_layout says to a user without special rights, for to root the rights of folders mean nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            said = read_layout(str(path), "edr", RELEASES).binds[0].source
        except BaseException as error:
            said = f"{type(error).__name__}\n{error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.fixture
def shared():
    """A folder that everybody can reach, which is not so of tmp_path."""
    folder = Path(tempfile.mkdtemp(prefix="desi-lab-"))
    folder.chmod(0o755)
    yield folder
    for below in [folder, *folder.rglob("*")]:
        if not below.is_symlink():
            below.chmod(0o755)
    shutil.rmtree(folder)


def close(folder: Path, mode: int = 0o000) -> None:
    """Take rights away from everybody else, or from oneself where there is nobody else to be."""
    folder.chmod(mode if os.getuid() == 0 else (mode & 0o007) * 0o111)


def test_closed_folder_beside_a_release_does_no_harm(shared):
    release(shared / "edr", "fuji")
    (shared / "closed" / "target").mkdir(parents=True)
    (shared / "target").symlink_to(shared / "closed" / "target")
    (shared / "edr" / "spectro" / "redux" / "linked").symlink_to(shared / "closed" / "target")
    close(shared / "closed")
    assert seen_by_somebody_else(shared) == str(shared)
    (shared / "edr").rename(shared / "EDR")
    assert seen_by_somebody_else(shared) == str(shared / "EDR")


@pytest.mark.parametrize(
    ("closed", "mode", "said"),
    [
        ("desi", 0o750, "This account may not read it."),
        ("desi", 0o751, "This account may not read it."),
        ("desi", 0o754, "This account may not read it."),
        (".", 0o000, "This account may not read it."),
        ("desi/edr", 0o000, "What this account may not read: edr."),
    ],
)
def test_what_may_not_be_both_read_and_entered_is_refused(shared, closed, mode, said):
    release(shared / "home" / "desi" / "edr", "fuji")
    (shared / "home" / "desi" / "notes").mkdir()
    close(shared / "home" / closed, mode)
    error = seen_by_somebody_else(shared / "home" / "desi")
    assert error.startswith("LabError\n")
    assert said in error


# What people have that is no release in its own folders


@pytest.mark.parametrize(
    ("made", "why", "do"),
    [
        (["coadd-main-dark-23040.fits"], "files of DESI", "-e lab_folder={0}, without lab_data."),
        (["mine/redrock-sv3-dark-1.fits.gz", "notes"], "files of DESI", "-e lab_folder={0}"),
        (["vac/dr1/lss/"], "files of DESI", "-e lab_folder={0}"),
        (["tiles/cumulative/"], "without the folders of its release", "ln -s {0} ~/desi/dr1/spectro/redux/iron"),
        (["fuji/tiles/", "iron/healpix/"], "/iron has what a", "ln -s {0}/iron ~/desi/dr1/spectro/redux/iron."),
        (["redux/iron/healpix/"], "/redux/iron has what a", "ln -s {0}/redux/iron ~/desi/dr1/spectro/redux/iron."),
        (["mine/zcatalog/"], "/mine has what a", "ln -s {0}/mine ~/desi/dr1/spectro/redux/iron."),
        (["fuji/tiles/"], "/fuji has what a", "ln -s {0}/fuji ~/desi/edr/spectro/redux/fuji."),
        (["guadalupe/tiles/"], "/guadalupe has", "ln -s {0}/guadalupe ~/desi/dr1/spectro/redux/guadalupe."),
        (["data.desi.lbl.gov/public/dr1/spectro/redux/iron/"], "further down", "Give {0}/data.desi.lbl.gov/public."),
        (["public/edr/spectro/redux/fuji/", "public/dr1/spectro/redux/iron/"], "further down", "Give {0}/public."),
    ],
)
def test_folder_of_another_kind_is_refused_with_the_way_on(tmp_path, made, why, do):
    tmp_path /= "my data" if "{0}," in do or "ln -s {0} " in do else "data"
    for each in made:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).mkdir() if each.endswith("/") else (tmp_path / each).touch()
    error = refusal(tmp_path, "dr1")
    assert why in error.why
    assert do.format(shell_path(tmp_path)) in error.do


def test_guadalupe_is_used_for_dr1_where_iron_is_not_there(tmp_path):
    release(tmp_path, "guadalupe")
    error = refusal(tmp_path, "edr")
    assert (error.why, "lab_release=dr1" in error.do) == ("It holds guadalupe, which is a part of dr1.", True)
    layout = read_layout(str(tmp_path), "dr1", RELEASES)
    assert layout == Layout("release", "dr1", "guadalupe", [Bind(str(tmp_path), "dr1")])
    release(tmp_path, "iron")
    assert read_layout(str(tmp_path), "dr1", RELEASES).specprod == "iron"


@pytest.mark.parametrize("link", ["spectro/redux/fuji", "spectro/redux", "spectro", "edr", "edr/spectro/redux/fuji"])
def test_link_of_a_disk_that_is_not_mounted_is_named(tmp_path, link):
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to("/gone/disk")
    assert refusal(tmp_path).why == f"The link {tmp_path / link} in it leads to /gone/disk, which is not there."
    release(tmp_path / "dr1", "iron")
    (tmp_path / "dr1/spectro/redux/fuji").symlink_to("/gone/fuji")
    if link == "edr":
        assert "/gone/fuji" in refusal(tmp_path).why


# Links of DESI's own tree onto other disks


@pytest.fixture
def disks(tmp_path, monkeypatch):
    """A folder of releases whose productions and files lie elsewhere."""
    # Tests work in what a container has, too.
    monkeypatch.setattr(data_links, "_INSIDE", data_links._INSIDE[:-1])
    big = release(tmp_path / "big", "iron") / "spectro/redux/iron"
    (tmp_path / "desi/dr1/spectro/redux").mkdir(parents=True)
    (tmp_path / "desi/dr1/spectro/redux/iron").symlink_to(big)
    return tmp_path


def linked(disks: Path, **limits: object) -> Layout:
    return with_links(read_layout(str(disks / "desi"), "dr1", RELEASES), Limits(**limits))


def test_target_of_a_link_is_bound_where_the_link_leads(disks):
    big = str(disks / "big/spectro/redux/iron")
    layout = linked(disks)
    assert layout.binds == [Bind(str(disks / "desi"), ""), Bind(big, big)]
    assert layout.left_out == []


def test_nested_and_repeated_links_are_followed_and_those_inside_are_not(disks):
    iron, redux = disks / "big/spectro/redux/iron", disks / "desi/dr1/spectro/redux"
    (disks / "more/zcat").mkdir(parents=True)
    (iron / "zcatalog").symlink_to(disks / "more/zcat")
    (disks / "more/zcat/back").symlink_to(iron)
    (disks / "more/zcat/circle").symlink_to("circle")
    (redux / "same").symlink_to("../redux")
    (redux / "file.fits").symlink_to(disks / "more/file.fits")
    (disks / "more/file.fits").touch()
    layout = linked(disks)
    zcat, file = str(disks / "more/zcat"), str(disks / "more/file.fits")
    assert set(layout.binds[1:]) == {Bind(file, file), Bind(zcat, zcat), Bind(str(iron), str(iron))}
    assert layout.left_out == [f"{zcat}/circle -> circle: It is not there."]


@pytest.mark.parametrize("target", ["/", "/etc", "/root/.ssh", "/usr/share", "/home"])
@pytest.mark.parametrize("needed", [False, True])
def test_link_to_what_is_nobodys_data_is_not_followed(disks, target, needed):
    place = disks / ("big/spectro/redux/iron/zcatalog" if needed else "desi/notes")
    place.symlink_to(target)
    if not Path(target).exists():
        return
    if needed:
        with pytest.raises(LabError, match=f"leads to {target}") as caught:
            linked(disks)
        assert str(place) in caught.value.why
    else:
        layout = linked(disks)
        assert len(layout.binds) == 2
        assert layout.left_out[0].startswith(f"{place} -> {target}: It ")


def test_many_links_side_by_side_are_one_bind_and_the_walk_is_bounded(disks):
    healpix, elsewhere = disks / "big/spectro/redux/iron/healpix", disks / "wide/healpix"
    for number in range(100):
        (elsewhere / str(number)).mkdir(parents=True)
        (healpix / str(number)).symlink_to(elsewhere / str(number))
    assert linked(disks).binds[2:] == [Bind(str(elsewhere), str(elsewhere))]


def test_links_are_no_way_to_what_is_somebody_elses(disks):
    for name in ("ann/.config/desi-lab", "bob/desi", "deep/a/b/c", "opt/desi"):
        (disks / name).mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as agent, contextlib.chdir(disks):
        agent.bind("agent.99")
    # Its own text names one place, and by way of the other link it leads to a second.
    (disks / "desi/x").symlink_to(disks / "deep/a/b")
    rows = [
        (disks / "ann/.config/desi-lab", {}, "It lies in a hidden folder."),
        (disks / "bob/desi", {"others_homes": (str(disks / "bob"),)}, "It lies in somebody else's home."),
        (disks / "agent.99", {}, "It is neither a file nor a folder."),
        ("x/../../../opt/desi", {}, RELATIVE),
        (disks / "desi/x/../../../opt/desi", {}, "Its path leads through a link of somebody else."),
        (disks / "desi/x/c", {"trusted": (4711,)}, "Its path leads through a link of somebody else."),
        ("../bob/desi", {}, RELATIVE),
    ]
    for target, limits, reason in rows:
        (disks / "desi/notes").unlink(missing_ok=True)
        (disks / "desi/notes").symlink_to(target)
        layout = linked(disks, **limits)
        assert [each.partition(": ")[2] for each in layout.left_out] == [reason], target


def test_links_that_notebooks_can_change_are_not_followed(disks):
    (disks / "desi/dr1/spectro/redux/iron").unlink()
    release(disks / "desi/dr1", "iron")
    (disks / "desi/notes").symlink_to(disks / "big")
    layout = linked(disks, changeable=True)
    assert layout.binds == [Bind(str(disks / "desi"), "")]
    assert layout.left_out[0].endswith(CHANGEABLE)


def test_link_in_the_work_folder_is_followed_by_no_way(disks):
    """Where a notebook can lay it, it may be the notebook's, whoever it belongs to."""
    work, finance = disks / "desi/users/ann", disks / "finance"
    for folder in (work, finance):
        folder.mkdir(parents=True)
    (work / "evil").symlink_to(finance)
    (disks / "way").symlink_to(work)
    # The one names what the notebook's leads to, the other comes to it only by a link that lies elsewhere.
    (disks / "desi/notes").symlink_to(work / "evil")
    (disks / "desi/more").symlink_to(disks / "way/evil")
    layout = query_layout(str(disks / "desi"), "dr1", RELEASES, links=True, shared=str(disks / "way"))
    assert [each.source for each in layout.binds] == [str(disks / "desi"), str(disks / "big/spectro/redux/iron")]
    assert layout.left_out == [
        f"{disks / 'desi' / link} -> {finance}: {CHANGEABLE}" for link in ("more", "notes", "users/ann/evil")
    ]


def test_target_in_the_work_folder_is_read_only_there_and_its_own_links_are_not_followed(disks):
    big, finance = disks / "big", disks / "finance"
    iron = big / "spectro/redux/iron"
    finance.mkdir()
    (iron / "evil").symlink_to(finance)
    layout = query_layout(str(disks / "desi"), "dr1", RELEASES, links=True, shared=str(big))
    assert layout.binds[1:] == [Bind(str(iron), str(iron)), Bind(str(iron), "/home/synced/spectro/redux/iron")]
    assert layout.left_out == [f"{iron / 'evil'} -> {finance}: {CHANGEABLE}"]
    (iron / "healpix").rmdir()
    (iron / "healpix").symlink_to(finance)
    with pytest.raises(LabError, match="cannot be read in a lab"):
        query_layout(str(disks / "desi"), "dr1", RELEASES, links=True, shared=str(big))


def test_what_lies_beside_the_releases_is_no_way_out_either(disks):
    release(disks / "elsewhere", "iron")
    (disks / "finance").mkdir()
    shutil.rmtree(disks / "desi/dr1")
    (disks / "desi/dr1").symlink_to(disks / "elsewhere")
    (disks / "desi/target").symlink_to(disks / "finance")
    found = query_layout(str(disks / "desi"), "dr1", RELEASES, links=True)
    assert found.binds == [Bind(str(disks / "elsewhere"), "dr1"), Bind(str(disks / "desi/target"), "target")]
    assert query_layout(str(disks / "desi"), "dr1", RELEASES, links=True, writable=True).binds == found.binds
    found = query_layout(str(disks / "desi"), "dr1", RELEASES, links=True, shared=str(disks / "desi"))
    assert (found.binds, len(found.left_out)) == ([Bind(str(disks / "elsewhere"), "dr1")], 1)


@pytest.mark.parametrize("place", ["/opt/desi", "/home/desi/x", "/home/synced", "/conda", "/usr/local/lib"])
def test_nothing_hides_what_a_container_has_of_its_own(monkeypatch, place):
    monkeypatch.setattr(data_links.os.path, "realpath", lambda path: str(path))
    assert Limits().why_not(place, place)
