# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json

import pytest
from desi_watch import settings
from hypothesis import given
from hypothesis import strategies as st

DEFAULT = settings.Settings()


def test_what_a_file_does_not_say_is_as_by_default():
    assert settings.settings_of("{}") == DEFAULT
    assert settings.settings_of('{"idle_minutes": 5}') == DEFAULT._replace(idle=300.0)


def test_minutes_and_hours_become_seconds_and_may_be_fractions():
    text = '{"idle_minutes": 0.1, "max_hours": "24", "warning_minutes": [1, 10], "idle_warning_minutes": 0.5, '
    found = settings.settings_of(text + '"cpu_floor": 1, "network_floor": 7, "start_minutes": 2}')
    assert found == settings.Settings(6.0, 86400.0, (600.0, 60.0), 30.0, 120.0, 1.0, 7.0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", '{"idle_minutes": -1}', '{"idle_minutes": NaN}', '{"max_hours": "soon"}', '{"max_hours": true}'),
        *('{"warning_minutes": []}', '{"warning_minutes": 5}', None),
    ],
)
def test_settings_that_cannot_be_read_are_the_default_and_a_doubt(tmp_path, text):
    if text is not None:
        (tmp_path / "watch.json").write_text(text)
    found, wrong = settings.read(tmp_path / "watch.json")
    assert found == DEFAULT
    assert wrong.startswith("the watcher's settings cannot be read")


@given(st.binary(max_size=60) | st.dictionaries(st.sampled_from([*settings.FIELDS, settings.WARNINGS]), st.integers()))
def test_no_file_makes_the_watcher_fail(tmp_path_factory, given_text):
    path = tmp_path_factory.mktemp("s") / "watch.json"
    path.write_bytes(given_text if isinstance(given_text, bytes) else json.dumps(given_text).encode())
    found, _wrong = settings.read(path)
    assert found.idle >= 0
    assert found.longest >= 0
    assert found.warnings
