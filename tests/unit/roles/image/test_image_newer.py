# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an image is built anew although it is up to date."""

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

VARS = Path(__file__).parents[4] / "roles/image/vars/main.yml"


@pytest.mark.parametrize(
    ("update", "only_newer", "base", "anew"),
    [
        (False, False, "desi-lab-base", False),
        (True, False, "desi-lab-base", True),
        (True, True, "desi-lab-base", False),
        # What others wrote may fetch anything.
        (True, True, "", True),
    ],
)
def test_an_update_builds_what_is_of_this_collection_only_if_something_is_newer(update, only_newer, base, anew):
    loader = DataLoader()
    given = {"image_update": update, "image_only_newer": only_newer, "image_build_base": base}
    known = {**loader.load_from_file(str(VARS), trusted_as_template=True), **given}
    found = Templar(loader=loader, variables=known).template(trust_as_template("{{ __image_build_anew }}"))
    assert found is anew
