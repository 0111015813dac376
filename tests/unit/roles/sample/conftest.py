# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import sys
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[4] / "roles" / "sample" / "files"

# The generator runs while an image is built and is no part of the collection: it is found in the image's context.
sys.path.insert(0, str(FILES))


@pytest.fixture(scope="session")
def bucket(tmp_path_factory):
    """The whole sample."""
    from desi_sample.releases import RELEASES
    from desi_sample.tree import write_bucket

    root = tmp_path_factory.mktemp("sample") / "bucket"
    write_bucket(root, RELEASES.values())
    return root


@pytest.fixture(params=["edr", "dr1"])
def release(request):
    from desi_sample.releases import RELEASES

    return RELEASES[request.param]


@pytest.fixture
def production(bucket, release):
    """The folder of the release's production."""
    return bucket / release.name / "spectro" / "redux" / release.specprod


@pytest.fixture
def healpix(production, release):
    """The path of a file of the sampled healpixel, by prefix and suffix."""
    name = f"{release.survey}-{release.program}-{release.healpix}"
    folder = production.joinpath("healpix", release.survey, release.program, str(release.healpix // 100))
    return lambda prefix, suffix=".fits": folder / str(release.healpix) / f"{prefix}-{name}{suffix}"
