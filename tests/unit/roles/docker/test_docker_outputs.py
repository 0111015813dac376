# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a host's answer becomes the environment of tasks."""

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.desi.lab.plugins.module_utils._docker.api import endpoint_of

ROLE = Path(__file__).parents[4] / "roles/docker"
TLS = {"DOCKER_HOST": "tcp://127.0.0.1:2376", "CURL_CA_BUNDLE": "/ca", "DOCKER_CERT_PATH": "/c"}


@pytest.mark.security("H1")
@pytest.mark.parametrize("verify", ["DOCKER_TLS", "DOCKER_TLS_VERIFY"])
def test_a_host_sets_no_variables_but_those_by_which_docker_is_reached(verify):
    loader = DataLoader()
    known = loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    (task,) = loader.load_from_file(str(ROLE / "tasks/outputs.yml"), trusted_as_template=True)
    environment = endpoint_of({**TLS, verify: "1"}, "/home/ann").environment
    for answers, kept in ((True, environment), (False, {})):
        answer = {"answers": answers, "environment": {**environment, "LD_PRELOAD": "/x", "PATH": "/x"}}
        templar = Templar(loader=loader, variables={**known, "docker_found": answer})
        assert templar.template(task["ansible.builtin.set_fact"]["docker_environment"]) == kept
