# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from ansible_collections.desi.lab.plugins.plugin_utils._run_document import SAY, STEP, RunDocument

QUIET = {"localhost": {"failures": 0, "unreachable": 0, "changed": 0}}


def test_verb_with_a_document_of_its_own_prints_just_that():
    document = RunDocument()
    document.collect("status", STEP, {"name": "x"})
    document.collect("status", SAY, {"json": True, "msg": {"labs": []}})
    assert document.whole("status", QUIET, check=False) == {"labs": []}


def test_url_is_in_the_document_of_the_verb_that_prints_it():
    document = RunDocument()
    document.collect("url", SAY, {"msg": "http://h"})
    document.collect("stop", SAY, {"msg": "bye"})
    assert document.whole("url", QUIET, check=True) == {
        "verb": "url",
        "ok": True,
        "changed": False,
        "check": True,
        "url": "http://h",
        "steps": [],
        "box": {},
        "notes": [],
        "failures": [],
    }
