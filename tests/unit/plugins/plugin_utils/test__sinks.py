# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils._sinks import keeper


@pytest.mark.parametrize(
    ("callback", "log", "enabled"),
    [
        ("desi.lab.steps", None, []),
        ("desi.lab.steps", "/tmp/log", []),  # noqa: S108
        ("ansible.builtin.default", None, []),
        ("desi.lab.steps", None, ["ansible.posix.profile_tasks", "timer"]),
        ("desi.lab.steps", None, ["desi.lab.plain_settings"]),
    ],
)
def test_a_terminal_keeps_nothing(callback, log, enabled):
    assert keeper(callback, log, enabled) == ""


@pytest.mark.security("L4")
@pytest.mark.parametrize(
    ("callback", "log", "enabled", "word"),
    [
        ("ansible.builtin.default", "/var/log/a", [], "/var/log/a"),
        ("minimal", "/var/log/a", [], "/var/log/a"),
        ("desi.lab.steps", None, ["community.general.log_plays"], "log_plays"),
        ("desi.lab.steps", None, ["timer", "ara_default"], "ara_default"),
    ],
)
def test_what_keeps_results_is_named(callback, log, enabled, word):
    assert word in keeper(callback, log, enabled)
