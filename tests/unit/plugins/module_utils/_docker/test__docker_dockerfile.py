# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker.dockerfile import asks_for_buildkit, buildkit_reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("RUN --mount=type=cache,target=/x true", "RUN --mount"),
        ("run --network=none --mount=type=secret,id=a true", "RUN --network"),
        ("RUN \\\n  # why\n  --mount=type=cache,target=/x \\\n  true", "RUN --mount"),
        ("COPY --chown=1 --chmod=755 a /", "COPY --chmod"),
        ("ADD --checksum=sha256:1 https://a /", "ADD --checksum"),
        ("COPY --link a /", "COPY --link"),
        ("RUN <<EOF\necho\nEOF", "a here-document (<<EOF)"),
        ("COPY <<-'END' /x\na\n  END\n", "a here-document (<<EOF)"),
        ("COPY --from=a --chown=1 a /", ""),
        ("RUN tool --mount=x --chmod", ""),
        ("# RUN --mount=x\nRUN echo '<<' && cat <<< EOF", ""),
        ("RUN echo 1 <<EOF", ""),
        ("", ""),
    ],
)
def test_what_only_buildkit_knows_is_found(text, reason):
    assert buildkit_reason(f"FROM debian\n{text}\n") == reason
    assert asks_for_buildkit(f"FROM debian\n{text}\n") is bool(reason)


@pytest.mark.parametrize(("text", "asks"), [("# syntax=docker/x:1\nFROM a", True), ("FROM a\n#syntax=x", False)])
def test_dockerfile_that_names_its_syntax_asks_for_buildkit(text, asks):
    assert (asks_for_buildkit(text), buildkit_reason(text)) == (asks, "")
