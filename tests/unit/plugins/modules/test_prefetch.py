# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from fits_catalog import catalog
from loopback import await_that

from ansible_collections.desi.lab.plugins.module_utils._prefetch import fetcher
from ansible_collections.desi.lab.plugins.modules import prefetch

FOLDER = "spectro/redux/iron/healpix/main/dark/230/23040"
FILES = {
    "coadd-main-dark-23040.fits": b"c" * 3_000_000,
    "redrock-main-dark-23040.fits": b"r" * 500_000,
    "notes.txt": b"n",
}


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "mount" / "dr1" / FOLDER
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in FILES.items() if name != "notes.txt"]
    (folder / "redux_iron_healpix_main_dark_230_23040.sha256sum").write_text("".join(sums))
    (tmp_path / "cache").mkdir()
    return tmp_path / "mount" / "dr1"


@pytest.fixture
def run(release, call):
    def run_module(*files, _check=False, **more):
        known = {"root": str(release), "cache": str(release.parents[1] / "cache"), "files": list(files)}
        return call(prefetch, specprod="iron", **known, **more, _ansible_check_mode=_check)[1]

    return run_module


def keep(release, name):
    """Do what a mount does that keeps what was read."""
    copy = release.parents[1] / "cache/vfs/:s3{abc}/desidata/dr1" / FOLDER / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes((release / FOLDER / name).read_bytes())


def test_healpixel_is_fetched_and_verified(run):
    fetched = run("healpix:23040")
    assert fetched["changed"] is True
    assert [name.rpartition("/")[2] for name in fetched["verified"]] == sorted(FILES)[:1] + sorted(FILES)[2:]
    assert (fetched["total"], fetched["fetched"]) == (3_500_000, 3_500_000)
    assert fetched["text"] == "3.5 MB in all, 3.5 MB fetched"


def test_path_may_be_below_the_production_or_the_release_and_a_folder_means_all_in_it(run):
    below = run("healpix/main/dark/230/23040")
    assert len(below["verified"]) == 2
    unverified = [name.rpartition("/")[2] for name in below["unverified"]]
    assert unverified == ["notes.txt", "redux_iron_healpix_main_dark_230_23040.sha256sum"]
    assert run(f"{FOLDER}/coadd*", _check=True)["total"] == 3_000_000


def test_what_was_verified_and_is_still_kept_is_not_fetched_again(run, release):
    plan = run("healpix:23040", _check=True)
    assert (plan["changed"], plan["text"], plan["verified"]) == (True, "3.5 MB in all, 3.5 MB to fetch", [])
    run("healpix:23040")
    keep(release, "coadd-main-dark-23040.fits")
    again = run("healpix:23040")
    assert (again["total"], again["fetched"]) == (3_500_000, 500_000)
    keep(release, "redrock-main-dark-23040.fits")
    assert run("healpix:23040")["changed"] is False
    (release / FOLDER / "coadd-main-dark-23040.fits").write_bytes(b"d" * 3_000_001)
    assert run("healpix:23040", _check=True)["fetched"] == 3_000_001


def test_what_is_not_what_its_checksum_says_is_an_error_that_names_it(run, release):
    (release / FOLDER / "redrock-main-dark-23040.fits").write_bytes(b"x" * 500_000)
    failed = run("healpix:23040")
    assert failed["failed"] is True
    assert "1 of 2 files are not what their checksums say" in failed["what"]
    assert "redrock-main-dark-23040.fits" in failed["why"]


def test_what_does_not_fit_or_is_not_there_is_refused(run):
    assert "3.5 MB cannot be fetched" in run("healpix:23040", cache_max=1_000_000)["what"]
    nothing = run("tile:1")
    assert 'Nothing is there for "tile:1"' in nothing["what"]
    assert "no file of that name" in nothing["why"]


@pytest.mark.parametrize("passed_over", [False, True])
def test_mount_that_died_is_told_as_that_and_not_as_missing_files(run, monkeypatch, passed_over):
    """As newer versions of Python pass over what cannot be listed."""

    def dead(path, *_pattern):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected", str(path))

    monkeypatch.setattr(prefetch.Path, "glob", (lambda *_: iter([])) if passed_over else dead)
    monkeypatch.setattr(prefetch.Path, "iterdir", dead)
    failed = run("healpix:23040")
    assert failed["what"] == "The bucket's files could not be read."
    assert "Transport endpoint is not connected" in failed["why"]
    assert "goes on where it was" in failed["do"]


def test_listing_of_checksums_that_is_no_text_leaves_files_without(run, release):
    side = next((release / FOLDER).glob("*.sha256sum"))
    side.write_bytes(b"\xff\xfe\0")
    assert len(run("healpix:23040")["unverified"]) == 2


@pytest.fixture
def zcatalog(release):
    """Where two targets are, one of them in the healpixel that is there."""
    path = release / "spectro/redux/iron/zcatalog/v1/zpix-main-dark.fits"
    path.parent.mkdir(parents=True)
    path.write_bytes(catalog([(39627, 23040, 179.6, 1), (39628, 11000, 10.0, -5)]).getvalue())
    return path


def test_targets_and_cones_lead_to_healpixels_by_a_catalog_that_is_named(run, zcatalog, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("39627\n")
    for asked in ([f"targets:{ids}"], ["cone:179,1,1"], ["cone:179", "1", "1"]):
        found = run(*asked, _check=True)
        assert found["total"] == 3_500_000
        assert found["searched"] == ["spectro/redux/iron/zcatalog/v1/zpix-main-dark.fits"]
    nothing = run("cone:10,80,0.1")
    assert 'Nothing is there for "cone:10,80,0.1"' in nothing["what"]
    assert "None of its targets" in nothing["why"]


def test_search_without_a_catalog_or_in_a_damaged_one_is_refused(run, zcatalog):
    zcatalog.write_bytes(zcatalog.read_bytes()[:-50])
    damaged = run("cone:179,1,1")
    assert "zpix-main-dark.fits cannot be read" in damaged["why"]
    zcatalog.rename(zcatalog.with_name("zpix-other.fits"))
    assert "zpix-other.fits cannot be read" in run("cone:179,1,1")["why"]
    zcatalog.with_name("zpix-other.fits").unlink()
    assert "there are none" in run("cone:179,1,1")["why"]


def others_of(path):
    """Return the files beside a progress file."""
    return [each.name for each in path.parent.iterdir() if each.name.startswith(path.name)]


def test_progress_is_in_its_file_until_it_ends(run, release, monkeypatch):
    file, seen = release.parents[1] / "progress", []
    read = fetcher.Fetch._read

    def reading(fetch, path):
        fetch.report("half of it")
        # Files are read side by side, and one that is written anew is empty for a moment.
        await_that(file.read_text)
        seen.append(sorted(others_of(file)))
        return read(fetch, path)

    monkeypatch.setattr(fetcher.Fetch, "_read", reading)
    run("healpix:23040", progress=str(file))
    assert seen[0] == ["progress", "progress.wanted"]
    assert not others_of(file)
    # One that is refused has an end, too.
    assert run("tile:1", progress=str(file))["failed"] is True
    assert not others_of(file)


def test_second_run_waits_for_the_first_and_says_so_and_fetches_what_that_left(run, release):
    cache, progress = release.parents[1] / "cache", release.parents[1] / "progress"
    result = {}
    with fetcher.alone(str(cache), lambda _text: None):
        second = threading.Thread(target=lambda: result.update(run("healpix:23040", progress=str(progress))))
        second.start()
        await_that(lambda: progress.exists() and "waiting for another run" in progress.read_text())
        # What it would have taken for its own, had it not waited.
        known = {f"{FOLDER}/{name}": [len(FILES[name]), (release / FOLDER / name).stat().st_mtime] for name in FILES}
        (cache / "prefetched.json").write_text(json.dumps(known))
        keep(release, "coadd-main-dark-23040.fits")
        assert not result
    second.join()
    assert result["fetched"] == 500_000


ABANDONED = """
import sys, time
from ansible.module_utils.testing import patch_module_args
from ansible_collections.desi.lab.plugins.module_utils._prefetch import fetcher
from ansible_collections.desi.lab.plugins.modules import prefetch

# As it is where a mount hangs.
fetcher.Fetch._read = lambda *_: time.sleep(600)
root, cache, progress = sys.argv[1:]
known = {"root": root, "specprod": "iron", "files": ["healpix:23040"], "cache": cache, "progress": progress}
with patch_module_args({**known, "quiet": 1}):
    prefetch.main()
"""


def test_run_that_nobody_waits_for_ends_and_leaves_the_cache_to_the_next_one(run, release):
    cache, progress = release.parents[1] / "cache", release.parents[1] / "progress"
    command = [sys.executable, "-c", ABANDONED, str(release), str(cache), str(progress)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    wanted = progress.with_name("progress.wanted")
    await_that(wanted.exists)
    for _second in range(10):
        wanted.touch()
        assert process.poll() is None
        time.sleep(0.2)
    assert process.wait(30) == 1
    assert not others_of(progress)
    assert run("healpix:23040")["fetched"] == 3_500_000


@pytest.mark.security("M1")
@pytest.mark.parametrize("name", ["prefetched.json", "prefetch.lock"])
def test_links_at_names_that_are_written_are_not_followed(run, release, tmp_path, name):
    (tmp_path / "victim").write_text("precious")
    cache = release.parents[1] / "cache"
    (cache / name).symlink_to(tmp_path / "victim")
    assert run("healpix:23040").get("changed", False) is (name != "prefetch.lock")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (cache / "prefetched.json").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay what others own")
@pytest.mark.security("M1")
def test_root_writes_nothing_into_a_cache_of_somebody(run, release):
    cache = release.parents[1] / "cache"
    os.chown(cache.parent, 65534, 65534)
    assert "not safe" in run("healpix:23040")["what"]
    assert list(cache.iterdir()) == []
