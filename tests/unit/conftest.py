# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import stat

import pytest
from hypothesis import settings
from player import IS_POSSIBLE, Alone, Player

# A busy computer is no failure of a test.
settings.register_profile("desi-lab", deadline=None)
settings.load_profile("desi-lab")


@pytest.fixture
def open_to_others(tmp_path):
    """The folder of the test, into which other accounts get, too: what stands above it lets them through."""
    for above in (tmp_path, *tmp_path.parents):
        mode = above.stat().st_mode
        # Such a one is the system's, and so is all above it.
        if mode & stat.S_ISVTX:
            break
        above.chmod(stat.S_IMODE(mode) | 0o055)
    return tmp_path


@pytest.fixture
def region(monkeypatch, tmp_path):
    """An AWS region on loopback, to which the environment leads everything."""
    # It takes seconds to be imported, which only those tests should wait for that need it.
    from aws_region import region_on_loopback

    with region_on_loopback(monkeypatch, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def player(tmp_path_factory):
    """What plays playbooks in a fraction of the time that ansible-playbook takes."""
    made = Player(tmp_path_factory.mktemp("q"), os.environ) if IS_POSSIBLE else Alone()
    yield made
    made.close()
