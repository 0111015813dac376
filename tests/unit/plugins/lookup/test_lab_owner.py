# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import boto3
import pytest
from ansible.errors import AnsibleLookupError
from botocore.exceptions import NoCredentialsError

from ansible_collections.desi.lab.plugins.lookup.lab_owner import LookupModule


class Sts:
    def __init__(self, answer):
        self.answer = answer

    def get_caller_identity(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Arn": self.answer}


@pytest.fixture
def asks(monkeypatch):
    def ask(answer):
        monkeypatch.setattr(boto3, "client", lambda service, **more: Sts(answer))
        return LookupModule().run([])

    return ask


def test_owner_is_whoever_asks(asks):
    assert asks("arn:aws:sts::123456789012:assumed-role/astro/ann") == ["astro/ann"]


@pytest.mark.security("M8")
@pytest.mark.parametrize("answer", ["rubbish", NoCredentialsError()])
def test_owner_that_is_unknown_raises_a_lookup_error(asks, answer):
    with pytest.raises(AnsibleLookupError):
        asks(answer)
