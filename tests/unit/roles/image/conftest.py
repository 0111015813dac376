# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import sys
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[4] / "roles" / "image" / "files"

# The code that runs inside the image is no part of the collection: it is found where the image's context keeps it.
sys.path.insert(0, str(FILES / "embedded" / "lab"))


@pytest.fixture
def files():
    """The folder of the build contexts."""
    return FILES


@pytest.fixture
def bucket_like(tmp_path):
    """Two releases laid out as in the bucket: raw data and targets beside them."""
    data = tmp_path / "desidata"
    for release, production in (("edr", "fuji"), ("dr1", "iron")):
        (data / release / "spectro" / "redux" / production).mkdir(parents=True)
        (data / release / "vac").mkdir()
        (data / release / "survey").mkdir()
    (data / "raw_spectro_data" / "20210101").mkdir(parents=True)
    (data / "target" / "catalogs").mkdir(parents=True)
    return data


@pytest.fixture
def nersc_like(tmp_path):
    """One release laid out as at NERSC: raw data and targets inside."""
    data = tmp_path / "public"
    (data / "edr" / "spectro" / "data" / "20210101").mkdir(parents=True)
    (data / "edr" / "spectro" / "redux" / "fuji").mkdir(parents=True)
    (data / "edr" / "target" / "catalogs").mkdir(parents=True)
    return data
