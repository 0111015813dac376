# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import socket
import time

import pytest
from web_server import web_server

from ansible_collections.desi.lab.plugins.modules import doctor_info

QUIET = "127.83.24.7"
CHECKS = [
    *("versions", "engine", "disk_images", "fuse", "propagation", "link_local", "disk_cache", "disk_folder", "memory"),
    *("port", "proxy", "authorities", "bucket", "clock", "labs", "leftovers", "tools"),
]
VERSIONS = {"product": "0.1.0", "ansible": "2.19.4", "python": "3.11.2", "system": "Linux", "collections": {}}
VERSIONS |= {"wanted": {}, "wanted_ansible": ">=2.19.0"}
LISTING = b"<ListBucketResult></ListBucketResult>"


@pytest.fixture
def look(call, program, tmp_path, monkeypatch):
    """Run the module, and return its findings in their order."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # An address that the command alone can ask.
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    with socket.create_server((QUIET, 0)) as probe:
        free = probe.getsockname()[1]

    def run(**options):
        given = {
            "address": QUIET,
            "port": free,
            "cache": str(tmp_path / "cache"),
            "folder": str(tmp_path),
            "mounts": str(tmp_path / "mounts"),
            "endpoint": f"http://{QUIET}:{free}",
            "versions": VERSIONS,
            "labs": {"engine": True, "labs": [], "containers": [], "networks": [], "mounts": []},
        }
        code, answer = call(doctor_info, **{**given, **options})
        assert (code, answer["changed"]) == (0, False)
        return answer["findings"]

    return run


def verdict(findings, check):
    return next(finding["verdict"] for finding in findings if finding["check"] == check)


@pytest.mark.parametrize("check_mode", [False, True])
def test_every_check_has_its_line_in_its_order_with_all_that_is_documented(look, program, check_mode):
    program("docker", 'echo \'{"ServerVersion": "27.3.1"}\'')
    with web_server(lambda _asked: (200, LISTING, {}), host=QUIET) as url:
        findings = look(endpoint=url, _ansible_check_mode=check_mode)
    assert [finding["check"] for finding in findings] == CHECKS
    for finding in findings:
        assert set(finding) == {"check", "title", "verdict", "found", "why", "do", "facts"}
        assert bool(finding["why"] and finding["do"]) is (finding["verdict"] in ("warning", "broken"))
        assert finding["title"]
        assert finding["found"]
    assert {verdict(findings, check) for check in ("engine", "port", "bucket", "clock", "labs")} == {"ok"}


@pytest.mark.parametrize(
    ("options", "check", "expected"),
    [
        ({"data": "s3"}, "bucket", "broken"),
        ({"data": "/data"}, "bucket", "warning"),
        ({"port": 99999}, "port", "broken"),
        ({"labs": {"failed": True, "msg": "Timed out after 5 second(s)."}}, "labs", "skipped"),
    ],
)
def test_settings_and_labs_are_judged_and_keep_nothing_back(look, options, check, expected):
    findings = look(**options)
    assert verdict(findings, check) == expected
    assert [finding["check"] for finding in findings] == CHECKS


def test_versions_are_not_judged_where_they_are_not_known(look):
    assert [finding["check"] for finding in look(versions={})] == CHECKS[1:]


def test_what_hangs_is_given_up_together(look, program):
    program("docker", "exec sleep 60")
    with socket.create_server((QUIET, 0)) as silent:
        began = time.monotonic()
        findings = look(endpoint=f"http://{QUIET}:{silent.getsockname()[1]}", seconds=2)
        took = time.monotonic() - began
    # One after the other, they would take twice as long.
    assert took < 3.5
    assert [verdict(findings, check) for check in ("engine", "bucket")] == ["broken", "broken"]
    assert next(each["found"] for each in findings if each["check"] == "engine") == "no answer within 2 s"
