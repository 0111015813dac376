# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls: users of the account, each with keys that are known to everybody and good for nothing elsewhere."""

from __future__ import annotations

from moto.iam.models import iam_backends

from region.words import ACCOUNT, AWS_REGION

# By user: the access key, and what goes with it.
KEYS = {"ann": ("AKIADESILABANN00TEST", "ann-has-no-secret"), "ben": ("AKIADESILABBEN00TEST", "ben-has-no-secret")}


def settle() -> None:
    """Make the users."""
    backend = iam_backends[ACCOUNT]["aws"]
    for name, (number, secret) in KEYS.items():
        backend.create_user(AWS_REGION, name)
        key = backend.create_access_key(name)
        backend.access_keys.pop(key.physical_resource_id, None)
        key.access_key_id, key.secret_access_key = number, secret
        backend.access_keys[number] = key


def environment(endpoint: str, user: str = "ann") -> dict[str, str]:
    """Return the environment variables by which somebody's programs call this region and no other."""
    key, secret = KEYS[user]
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": AWS_REGION,
        "AWS_DEFAULT_REGION": AWS_REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Whatever else is configured on this computer is none of the region's.
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
