# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sample as a tree of files: its names, its size, its checksums, and that it never changes."""

import csv
import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import desi_sample
import fitsio
import pytest

FILES = Path(desi_sample.__file__).parents[1]


def files(root):
    return sorted(path for path in root.rglob("*") if path.is_file())


def digests(root):
    return {path.relative_to(root): hashlib.sha256(path.read_bytes()).hexdigest() for path in files(root)}


def test_a_second_sample_has_the_same_bytes(bucket, tmp_path):
    # In a process of its own, so that nothing which this one keeps in memory can make them equal.
    again = tmp_path / "again"
    subprocess.run([sys.executable, "-B", "-m", "desi_sample", again], cwd=FILES, check=True, capture_output=True)
    assert digests(again) == digests(bucket)


def test_the_sample_is_small_and_laid_out_like_the_public_bucket_and_says_that_it_is_synthetic(bucket):
    found = [path.stat() for path in files(bucket)]
    assert sum(about.st_size for about in found) < 60e6
    assert {about.st_mtime for about in found} == {1742342400.0}
    assert sorted(path.name for path in bucket.iterdir()) == ["README.md", "dr1", "edr", "raw_spectro_data", "target"]
    for release in ("edr", "dr1"):
        assert sorted(path.name for path in (bucket / release).iterdir()) == ["LICENSE.md", "README.md", "spectro"]
    for folder in (".", "edr", "dr1", "raw_spectro_data", "target"):
        assert (bucket / folder / "README.md").read_text().startswith("# SYNTHETIC DATA: NOT OBSERVATIONS\n")


EXPECTED = {
    "edr": [
        "zcatalog/zall-pix-fuji.fits",
        "zcatalog/zpix-sv3-dark.fits",
        "healpix/sv3/dark/269/26965/redrock-sv3-dark-26965.fits",
        "healpix/sv3/dark/269/26965/spectra-sv3-dark-26965.fits",
        "healpix/sv3/dark/269/26965/redux_fuji_healpix_sv3_dark_269_26965.sha256sum",
        "tiles-fuji.csv",
        "exposures-fuji.csv",
        "redux_fuji.sha256sum",
    ],
    "dr1": [
        "zcatalog/v1/zall-pix-iron.fits",
        "zcatalog/v1/zpix-main-dark.fits",
        "zcatalog/v1/redux_iron_zcatalog_v1.sha256sum",
        "healpix/main/dark/230/23040/redrock-main-dark-23040.fits",
        "healpix/main/dark/230/23040/spectra-main-dark-23040.fits.gz",
        "healpix/main/dark/230/23040/redux_iron_healpix_main_dark_230_23040.sha256sum",
        "tiles/cumulative/10256/20211110/redux_iron_tiles_cumulative_10256_20211110.sha256sum",
        *(f"tiles/cumulative/2436/20211031/coadd-{petal}-2436-thru20211031.fits" for petal in range(10)),
        *(f"tiles/cumulative/5568/20211130/redrock-{petal}-5568-thru20211130.fits" for petal in range(10)),
        "tiles-iron.csv",
        "exposures-iron.csv",
        "redux_iron.sha256sum",
    ],
}


def test_files_have_the_names_of_the_real_ones(production, release):
    assert [name for name in EXPECTED[release.name] if not (production / name).is_file()] == []


def test_every_folder_of_a_production_has_right_checksums_of_all_its_files(production):
    folders = {path.parent for path in files(production)}
    for folder in folders:
        (listed,) = folder.glob("*.sha256sum")
        lines = dict(reversed(line.split("  ")) for line in listed.read_text().splitlines())
        others = [path for path in folder.iterdir() if path.is_file() and path != listed]
        assert lines == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in others}


def test_every_fits_file_says_that_it_is_synthetic_and_holds_no_name_and_no_time(bucket):
    paths = [path for path in files(bucket) if ".fits" in path.name]
    assert len(paths) == 90
    for path in paths:
        with fitsio.FITS(str(path)) as fits:
            header = fits[0].read_header()
            assert not any(card in hdu.read_header() for hdu in fits for card in ("DATE", "CHECKSUM", "DATASUM"))
        assert header["SYNTHET"] is True
        assert "SYNTHETIC DATA" in str(header)
        if path.suffix == ".gz":
            assert path.read_bytes()[3:8] == b"\0" * 5
            assert gzip.decompress(path.read_bytes())[:9] == b"SIMPLE  ="


@pytest.mark.parametrize("kind", ["tiles", "exposures"])
def test_lists_hold_the_same_as_csv_and_as_fits(production, release, kind):
    name = f"{kind}-{release.specprod}"
    with (production / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = fitsio.read(
        str(production / f"{name}.fits"), {"tiles": "TILE_COMPLETENESS", "exposures": "EXPOSURES"}[kind]
    )
    assert list(rows[0]) == list(table.dtype.names)
    assert [int(row["TILEID"]) for row in rows] == table["TILEID"].tolist()
    assert [float(row["EXPTIME"]) for row in rows] == pytest.approx(table["EXPTIME"].tolist())


def test_the_list_of_tiles_names_every_tile_once_and_the_exposures_name_only_those(production, release):
    with (production / f"tiles-{release.specprod}.csv").open() as file:
        tiles = {int(row["TILEID"]): row for row in csv.DictReader(file)}
    with (production / f"exposures-{release.specprod}.csv").open() as file:
        exposures = list(csv.DictReader(file))
    assert len(tiles) > 100
    assert {int(row["TILEID"]) for row in exposures} == set(tiles)
    assert len({row["EXPID"] for row in exposures}) == len(exposures)
    for folder in (production / "tiles" / "cumulative").iterdir():
        assert (folder / tiles[int(folder.name)]["LASTNIGHT"]).is_dir()


def test_an_occupied_folder_a_file_and_an_unknown_release_are_refused(tmp_path):
    def refused(*words):
        command = [sys.executable, "-B", "-m", "desi_sample", *words]
        run = subprocess.run(command, cwd=FILES, capture_output=True, text=True, check=False)
        assert run.returncode == 2
        return run.stderr

    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    assert "is not an empty folder" in refused(tmp_path)
    refused(mine)
    assert "dr1" in refused(tmp_path / "new", "--release", "dr9")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert mine.read_text() == "mine"
