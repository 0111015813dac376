# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an image is built anew although it is up to date, and what its build is given."""

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


@pytest.mark.security("H2")
@pytest.mark.parametrize(
    ("kind", "proxy", "own", "told"),
    [
        *[(kind, "http://ann:x@p:1", True, False) for kind in ("base", "embedded", "sample")],
        ("other", "http://ann:x@p:1", False, True),
        ("other", "http://p:1", False, False),
    ],
)
def test_only_a_dockerfile_of_this_collection_sees_the_password_of_a_proxy(monkeypatch, kind, proxy, own, told):
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("http_proxy", raising=False)
    loader = DataLoader()
    # Names with a dot are found only once a play has run in the same process.
    known = loader.load(trust_as_template(VARS.read_text().replace("'ansible.builtin.env'", "'env'")))
    given = {"image_build_kind": kind, "ansible_connection": "local"}
    templar = Templar(loader=loader, variables={**known, **given})
    assert templar.template(trust_as_template("{{ __image_build_is_own }}")) is own
    assert ("no proxy with a password" in templar.template(trust_as_template("{{ __image_build_no_proxy }}"))) is told
