# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._mount.cache import GIB, default_size, used_by, with_size
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import make_spec


@pytest.mark.parametrize(
    ("free", "used", "size"),
    [
        (100 * GIB, 0, 50 * GIB),
        (60 * GIB, 40 * GIB, 50 * GIB),  # what is in the cache already counts as free
        (7 * GIB, 0, 3 * GIB),
        (GIB // 2, 0, GIB),
        (9000 * GIB, 0, 500 * GIB),
    ],
)
def test_cache_takes_half_of_what_is_free_within_bounds(free, used, size):
    assert default_size(free, used) == size


def test_size_that_was_asked_for_is_kept_and_no_cache_gets_none():
    asked = make_spec({"bucket": "lab", "cache": "/c", "cache_max": "3GiB"})
    assert with_size(asked, {"cache": "/c", "cache_max": "9GiB"}) == asked
    assert with_size(make_spec({"bucket": "lab"}), None).cache_max == 0


def test_size_of_the_mount_that_is_there_stays_however_the_disk_fills(tmp_path):
    spec = make_spec({"bucket": "lab", "cache": str(tmp_path / "not" / "yet")})
    assert with_size(spec, {"cache": spec.cache, "cache_max": "7GiB"}).cache_max == 7 * GIB
    assert with_size(spec, {"cache": "/another", "cache_max": "7GiB"}).cache_max % GIB == 0
    assert with_size(spec, None).cache_max >= GIB


def test_file_that_was_read_in_part_counts_for_that_part(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(10_000_000)
        file.write(b"x" * 4096)
    assert 0 < used_by(tmp_path) < 100_000
    assert used_by(tmp_path / "none") == 0
