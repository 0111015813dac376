# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from ansible_collections.desi.lab.plugins.lookup.local_records import LookupModule


def test_each_record_counts_and_nothing_else(tmp_path):
    for name in (
        "eu-west-1/ann/id_ed25519",
        "us-west-2/ben/made.json",
        "us-west-2/ann/ssh_config",
        "us-west-2/x/notes",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "us-west-2/ann/made.json").touch()
    (tmp_path / "tls/desi/key").mkdir(parents=True)
    found = [("eu-west-1", "ann"), ("us-west-2", "ann"), ("us-west-2", "ben")]
    assert [(each["region"], each["name"]) for each in LookupModule().run([str(tmp_path)])] == found
    assert LookupModule().run([str(tmp_path / "none"), ""]) == []
