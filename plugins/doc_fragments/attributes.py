# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attributes and the author of modules. A module states only what differs."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of modules that change something, and of those that only read."""

    DOCUMENTATION = r"""
author:
  - The DESI Lab contributors (@desi-lab)
attributes:
  check_mode:
    description: Can run in check mode and reports there what would change.
    support: full
  diff_mode:
    description: Shows what was there before and what is there after.
    support: none
  idempotent:
    description: A second run with the same arguments changes nothing.
    support: full
"""

    INFO_MODULE = r"""
author:
  - The DESI Lab contributors (@desi-lab)
attributes:
  check_mode:
    description: Can run in check mode and does the same there.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
"""
