# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from aws_region import region_on_loopback
from world import World, player_in


def pytest_generate_tests(metafunc):
    """Each seed is a test. DESI_LAB_SEQUENCES is how many, DESI_LAB_SEED the first."""
    if "seed" in metafunc.fixturenames:
        first = int(os.environ.get("DESI_LAB_SEED", "0"))
        metafunc.parametrize("seed", range(first, first + int(os.environ.get("DESI_LAB_SEQUENCES", "6"))))


@pytest.fixture(scope="session")
def player(tmp_path_factory):
    made = player_in(tmp_path_factory.mktemp("p"))
    yield made
    made.close()


@pytest.fixture
def world(monkeypatch, tmp_path, player):
    with region_on_loopback(monkeypatch, tmp_path) as region:
        made = World(tmp_path, region, player)
        yield made
        made.close()
