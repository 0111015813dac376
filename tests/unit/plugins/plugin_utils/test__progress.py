# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pickle

from ansible_collections.desi.lab.plugins.plugin_utils._progress import Finished, Underway, display_progress


class Screen:
    """Ansible's Display as it treats what is for a log alone: the screen does not show it."""

    def __init__(self):
        self.shown = []

    def display(self, text, log_only=False):
        if not log_only:
            self.shown.append(text)


def test_words_survive_the_way_from_a_worker_to_the_process_with_the_screen():
    done = pickle.loads(pickle.dumps(Finished("3 import os", 1.5, good=False)))  # noqa: S301 - our own
    assert (done, done.seconds, done.good) == ("3 import os", 1.5, False)
    assert isinstance(done, Finished)
    assert isinstance(pickle.loads(pickle.dumps(Underway("cell 3"))), Underway)  # noqa: S301 - our own


def test_what_is_under_way_is_nothing_for_a_screen_that_knows_no_running_line():
    display = Screen()
    display_progress(display, Underway("cell 3 of 9"))
    display_progress(display, Finished("3 import os"))
    assert display.shown == ["3 import os"]
