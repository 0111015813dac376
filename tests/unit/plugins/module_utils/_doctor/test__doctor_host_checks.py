# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker.engine import DENIED, Engine
from ansible_collections.desi.lab.plugins.module_utils._doctor import host_checks as checks
from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK, WARNING

GIB = checks.GIB


@pytest.mark.parametrize(
    ("version", "wanted", "good"),
    [
        ("10.1.2", ">=10.1.0,<12.0.0", True),
        ("10.0.9", ">=10.1.0,<12.0.0", False),
        ("12.0.0", ">=10.1.0,<12.0.0", False),
        ("10.10.0", ">=10.9.0", True),
        ("2.19", ">=2.19.0", True),
        ("2.19.0rc1", ">=2.19.0", True),
        ("3.0.0", "!=3.0.0", False),
        ("3.0.0", "3.0.0", True),
        ("", ">=1.0.0", False),
        ("unknown", "*", False),
    ],
)
def test_a_version_is_in_a_range_or_not(version, wanted, good):
    assert checks.within(version, wanted) is good


def versions(**changed):
    facts = {"product": "0.1.0", "ansible": "2.19.4", "python": "3.11.2", "system": "Linux", "changed": False}
    facts |= {"collections": {"amazon.aws": "10.1.2"}, "wanted": {"amazon.aws": ">=10.1.0,<12.0.0"}}
    return checks.judge_versions({**facts, "wanted_ansible": ">=2.19.0", **changed})


def engine(**changed):
    facts = {"answers": True, "denied": False, "installed": True, "elsewhere": False, "platform": "linux"}
    facts |= {"endpoint": "unix:///var/run/docker.sock", "reason": "", "version": "27.3.1"}
    return checks.judge_engine(Engine(**{**facts, **changed}), "as root")


def silent(reason="None.", **changed):
    return engine(answers=False, version="", reason=reason, **changed)


def room(**changed):
    facts = {"path": "/data", "free": 50 * GIB, "files": 10**6, "writable": True, **changed}
    return [checks.judge_room("disk_x", "Disk", "data", facts, (2, 16))]


def memory(gib):
    return checks.judge_memory(16 * GIB, int(gib * GIB))


def port(owner, lab, made=False):
    return checks.judge_port(8888, owner, lab, 8889, "desi", made)


@pytest.mark.parametrize(
    ("findings", "verdict", "says"),
    [
        (versions(), OK, "DESI Lab 0.1.0, Ansible 2.19.4, Python 3.11.2"),
        (versions(collections={"amazon.aws": ""}), BROKEN, "amazon.aws"),
        (versions(collections={}), BROKEN, "amazon.aws"),
        (versions(collections={"amazon.aws": "9.0.0"}), WARNING, "amazon.aws 9.0.0"),
        (versions(ansible="2.18.9"), BROKEN, ">=2.19.0"),
        (engine(), OK, "27.3.1, used as root"),
        (engine(version="20.10.0"), OK, ""),
        (engine(version="20.10.24+dfsg1"), OK, ""),
        (engine(version="20.9.9"), WARNING, "20.10"),
        (engine(version="dev"), OK, ""),
        (silent(DENIED, denied=True), BROKEN, "usermod -aG docker"),
        (silent("The engine is not running."), BROKEN, "systemctl start docker"),
        (silent(installed=False), WARNING, "./lab local"),
        (silent(installed=False, platform="macos"), BROKEN, "Docker Desktop"),
        (silent(elsewhere=True, endpoint="tcp://192.0.2.7:2375"), BROKEN, "tcp://192.0.2.7:2375"),
        (checks.judge_fuse("", "modprobe fuse", "/usr/bin/fusermount3"), OK, ""),
        (checks.judge_fuse("", "modprobe fuse", ""), WARNING, "fuse3"),
        (checks.judge_fuse("There is no /dev/fuse.", "modprobe fuse", "/bin/fusermount3"), BROKEN, "modprobe fuse"),
        (checks.judge_propagation("/", True, False), OK, ""),
        (checks.judge_propagation("/", False, True), OK, ""),
        (checks.judge_propagation("/", False, False), WARNING, "--make-rshared /"),
        (room(), OK, "50.0 GiB free at /data"),
        (room(free=16 * GIB), OK, "16.0 GiB"),
        (room(free=16 * GIB - 1), WARNING, "16.0 GiB"),
        (room(free=2 * GIB), WARNING, "2.0 GiB"),
        (room(free=2 * GIB - 1), BROKEN, "2.0 GiB"),
        (room(files=3), BROKEN, "3 files"),
        (room(files=None), OK, "50.0 GiB"),
        (room(writable=False), BROKEN, "cannot be written"),
        (memory(2), OK, ""),
        (memory(1.99), WARNING, ""),
        (memory(0.5), WARNING, ""),
        (memory(0.49), BROKEN, ""),
        (port("nginx", "", made=True), BROKEN, "end nginx, then start"),
        (port("ssh", "b", made=True), WARNING, "stop that lab: ./lab stop -e lab_name=b"),
        (port("", ""), OK, "free"),
        (port("the Docker container desi-lab-desi", "desi"), OK, "lab desi itself"),
        (port("the Docker container desi-lab-two", "two"), WARNING, "-e lab_port=8889"),
        (port("nginx (process 7)", ""), BROKEN, "taken by nginx (process 7)"),
        (checks.judge_tools({"ssh": "/usr/bin/ssh", "rsync": "/usr/bin/rsync"}), OK, ""),
        (checks.judge_tools({"ssh": "/usr/bin/ssh", "rsync": ""}), WARNING, "missing: rsync"),
    ],
)
def test_what_is_found_is_judged(findings, verdict, says):
    (found,) = findings
    assert (found.verdict, "changed" in found.facts) == (verdict, False)
    assert says in f"{found.found} {found.why} {found.do}"
    # Whatever is not well says why and what to do; what is well is one line.
    assert bool(found.why) is bool(found.do) is (verdict != OK)


@pytest.mark.security("M12")
@pytest.mark.parametrize(
    ("obstacle", "made", "may", "answers", "verdict", "found"),
    [
        ("", True, False, True, OK, "out of reach of labs, though not of a Dockerfile while it is built"),
        ("", True, False, False, OK, "nothing answers"),
        ("", False, True, True, OK, "from the next ./lab local on"),
        ("", False, False, True, WARNING, "only root can make the rule"),
        # A rule of before does not hold for another engine.
        ("a rootless engine's", True, True, True, WARNING, "within reach of labs: a rootless engine's"),
        ("a rootless engine's", False, False, False, OK, "nothing answers"),
    ],
)
def test_whether_labs_reach_the_keys_of_their_machine_is_told(obstacle, made, may, answers, verdict, found):
    (told,) = checks.judge_link_local(obstacle, made, may, answers)
    assert (told.verdict, found in told.found) == (verdict, True)
    assert bool(told.do) is (verdict == WARNING)
