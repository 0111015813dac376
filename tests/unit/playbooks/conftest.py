# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from laptop import Laptop


@pytest.fixture
def laptop(region, tmp_path, player):
    return Laptop(tmp_path / "laptop", region, player)
