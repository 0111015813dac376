# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words that all rooms of the region share."""

from pathlib import Path

ACCOUNT = "123456789012"
AWS_REGION = "us-west-2"

# What Docker things of the region carry. The first is that of everything that tests make, so that the harness finds it.
TEST_LABEL = "desi.lab.test"
REGION_LABEL = "desi.lab.test.region"
INSTANCE_LABEL = "desi.lab.test.instance"
# A prepared folder of Docker's outlives the region, and must not be taken for something that a test has left.
SEED_LABEL = "desi.lab.test.seed"

REPOSITORY = Path(__file__).resolve().parents[3]
HOSTS = REPOSITORY / "tests/hosts"

# The systems that a machine can have, and whom its image lets in.
USERS = {"amazon_machine": "ec2-user", "ubuntu_machine": "ubuntu"}

BASE_IMAGE = "desi-lab-base:0.1.0"
SAMPLE_IMAGE = "desi-lab-sample:0.1.0"
SAMPLE_PORT = 8333
