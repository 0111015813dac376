# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_sources
short_description: Fetch and check the build context of an image
version_added: "0.2.0"
description:
  - Checks a directory with a Dockerfile, or fetches one from a Git repository, always on the controller.
  - Fetches one commit, without history and submodules, by https or ssh only, with the user's credential helpers and SSH
    keys. Hooks are not run.
  - Refuses a directory that is a link, or that is outside of the repository.
requirements:
  - the command C(git), for O(url)
options:
  path:
    description: The local directory.
    type: str
  url:
    description: The repository, as C(URL#VERSION:FOLDER). Its files are kept until this run ends.
    type: str
extends_documentation_fragment: desi.lab.attributes
"""

EXAMPLES = r"""
- name: Fetch the sources of an image
  desi.lab.image_sources:
    url: https://github.com/flyorboom/docker-aws-jupyter.git#main
  register: sources
"""

RETURN = r"""
path:
  description: The directory with the Dockerfile.
  returned: success
  type: str
commit:
  description: The fetched commit. Empty without O(url).
  returned: success
  type: str
"""
