# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_sources
short_description: Get and check the folder that an image is built from
version_added: "0.2.0"
description:
  - Checks a folder with a Dockerfile, or fetches one from a Git repository, always on the computer where Ansible runs.
  - Of a repository one commit is fetched, without its history and without submodules, by https or ssh alone. The
    credential helpers and SSH keys of whoever runs this are used; hooks are not run.
  - Refuses a folder that is a link, and whatever would lead out of the repository.
author:
  - The DESI Lab contributors (@desi-lab)
requirements:
  - the command C(git), for O(url)
options:
  path:
    description: The folder, where it is here already.
    type: path
  url:
    description: The repository, as C(URL#VERSION:FOLDER). Its files are kept until this run of Ansible ends.
    type: str
extends_documentation_fragment:
  - desi.lab.attributes
"""

EXAMPLES = r"""
- name: Fetch the sources of an image
  desi.lab.image_sources:
    url: https://github.com/flyorboom/docker-aws-jupyter.git#main
  register: sources
"""

RETURN = r"""
path:
  description: The folder with the Dockerfile.
  returned: success
  type: str
commit:
  description: The commit that was fetched. Empty without O(url).
  returned: success
  type: str
"""
