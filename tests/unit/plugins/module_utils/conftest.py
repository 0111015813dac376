# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from little_ec2 import SPEC, Clock, Ec2

from ansible_collections.desi.lab.plugins.module_utils._ec2.launcher import Launcher


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ec2(clock):
    return Ec2(clock)


@pytest.fixture
def ensure(ec2, clock):
    def run(spec=SPEC, check=False):
        return Launcher(ec2, spec, "us-west-2", sleep=clock.sleep, clock=clock).ensure(check)

    return run
