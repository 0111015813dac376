# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils._instance_system import lacks

NEW = {"folder": False, "programs": [], "distribution": "amzn", "updated": False}
READY = {"folder": True, "programs": ["dockerd", "mount-s3", "rsync"], "distribution": "amzn", "updated": True}


@pytest.mark.parametrize(
    ("instance", "update", "wanted"),
    [
        (NEW, True, ["folder", "update", "rsync", "mount-s3"]),
        (NEW, False, ["folder", "rsync", "mount-s3"]),
        (READY, True, []),
        # Where Docker is, an update may end what runs.
        ({**READY, "updated": False}, True, []),
        ({**READY, "programs": ["mount-s3", "rsync"]}, True, []),
        ({**READY, "folder": False}, True, ["folder"]),
        # Ubuntu offers no mount-s3.
        ({**READY, "programs": ["dockerd", "rsync"], "distribution": "ubuntu"}, True, []),
        ({**READY, "programs": ["dockerd", "rsync"]}, True, ["mount-s3"]),
    ],
)
def test_instance_lacks_what_it_has_not(instance, update, wanted):
    system = {name: value for name, value in instance.items() if name != "folder"}
    assert lacks({"folder": {"exists": instance["folder"]}, "system": system}, update) == wanted
