# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: images, documented in the YAML files of their names."""

from __future__ import annotations

import typing as t

from ansible_collections.desi.lab.plugins.plugin_utils._images import (
    build_reason,
    built_images,
    image_builds,
    image_called,
    image_facts,
    image_source,
    pull_reason,
)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "build_reason": build_reason,
            "built_images": built_images,
            "image_builds": image_builds,
            "image_by_name": image_called,
            "image_facts": image_facts,
            "image_source": image_source,
            "pull_reason": pull_reason,
        }
