# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plugin for pytest: a test that is skipped has failed. On a machine made ready for tests, nothing is missing."""

import pytest

# What is not installed for tests, by the reason that a test gives, each with why not.
ALLOWED = (
    "desispec is not installed here",  # 2026-11: it wants another numpy than the sample; it is in the embedded image
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip that has no good reason into a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(allowed in reason for allowed in ALLOWED):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was not run. {reason}"
    return report
