# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from loopback import SSHD, Listener, Machine


@pytest.fixture
def machine(tmp_path):
    if SSHD is None:
        pytest.skip("there is no sshd on this machine")
    made = Machine(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def listener():
    made = []

    def make(serve=lambda connection: None) -> Listener:
        made.append(Listener(serve))
        return made[-1]

    yield make
    for each in made:
        each.close()
