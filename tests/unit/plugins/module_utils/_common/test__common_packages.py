# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.packages import (
    Transaction,
    check_names,
    check_only_adds,
    manager_of,
    read_apt,
    read_dnf,
)

APT = """\
NOTE: This is only a simulation!
Reading package lists...
The following additional packages will be installed:
  containerd libc6
The following packages will be REMOVED:
  containerd.io docker-ce podman-docker
Remv docker-ce [5:24.0.7-1~debian.12~bookworm]
Remv containerd.io [1.6.26-1]
Purg podman-docker [4.3.1+ds1-8]
Inst libc6 [2.36-9+deb12u1] (2.36-9+deb12u4 Debian:12.5/stable [amd64]) [libc-bin:amd64 ]
Inst runc (1.1.5+ds1-1+deb12u1 Debian:12.5/stable, Debian-Security:12/stable-security [amd64])
Inst containerd (1.6.20~ds1-1+b1 Debian:12.5/stable [amd64])
Inst docker.io (20.10.24+dfsg1-1+b3 Debian:12.5/stable [amd64])
Conf libc6 (2.36-9+deb12u4 Debian:12.5/stable [amd64])
Conf docker.io (20.10.24+dfsg1-1+b3 Debian:12.5/stable [amd64])
"""

DNF = """\
Last metadata expiration check: 0:00:01 ago on Sat Nov 28 16:00:00 2026.
Dependencies resolved.
================================================================================
 Package                 Arch     Version               Repository         Size
================================================================================
Installing:
 docker                  x86_64   25.0.3-1.amzn2023     amazonlinux        44 M
     replacing  podman-docker.noarch 4:4.9.4-1.fc39
Installing dependencies:
 containerd              x86_64   1.7.11-1.amzn2023     amazonlinux        35 M
 a-package-whose-name-does-not-fit-into-its-column
                         x86_64   1-1                   amazonlinux        35 M
Upgrading:
 runc                    x86_64   1.1.11-1.amzn2023     amazonlinux       3.0 M
Removing dependent packages:
 cockpit-podman          noarch   84-1                  @System           700 k
Downgrading:
 container-selinux       noarch   3:2.1-1               amazonlinux        50 k

Transaction Summary
================================================================================
Install  2 Packages

Operation aborted.
"""

DNF5 = """\
Package           Arch   Version        Repository      Size
Installing:
 moby-engine      x86_64 0:27.3-1.fc41  fedora      90.0 MiB
   replacing podman-docker noarch 5:5.2-1.fc41 <unknown> 10.0 B
Removing dependent packages:
 toolbox          x86_64 0:0.1-1.fc41   <unknown>   10.0 B

Transaction Summary:
 Installing:        1 package

Operation aborted by the user.
"""


@pytest.mark.security("A4")
def test_what_apt_would_remove_or_change_is_read_off_its_simulation():
    assert read_apt(APT) == Transaction(
        install=("runc", "containerd", "docker.io"),
        remove=("docker-ce", "containerd.io", "podman-docker"),
        upgrade=("libc6",),
    )


@pytest.mark.security("A4")
def test_what_dnf_would_remove_replace_or_change_is_read_off_its_summary():
    assert read_dnf(DNF) == Transaction(
        install=("docker", "containerd", "a-package-whose-name-does-not-fit-into-its-column"),
        remove=("podman-docker", "cockpit-podman"),
        upgrade=("runc", "container-selinux"),
    )
    assert read_dnf(DNF5) == Transaction(install=("moby-engine",), remove=("podman-docker", "toolbox"))


@pytest.mark.security("A4")
@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Transaction(("a",), remove=("podman-docker",)), "apt-get would remove podman-docker, and"),
        (Transaction(("a",), upgrade=("runc", "libc6")), "would change the version of runc and libc6,"),
        (Transaction(remove=("x",), upgrade=("y",)), "would remove x and change the version of y,"),
        (Transaction(remove=tuple("abcdefghij")), "remove a, b, c, d, e, f, g, h and 2 more,"),
    ],
)
def test_whatever_is_not_only_added_is_refused_and_named(plan, words):
    with pytest.raises(LabError) as caught:
        check_only_adds(["docker.io", "git"], plan, "apt-get")
    assert words in caught.value.why
    assert "sudo apt-get install docker.io git" in caught.value.do


def test_what_only_adds_is_let_through():
    for said in ("", "Reading package lists...\n", "Dependencies resolved.\nNothing to do.\nComplete!\n"):
        assert read_apt(said) == read_dnf(said) == Transaction()
    check_only_adds(["git"], Transaction(install=("git", "git-man")), "dnf")
    check_only_adds(["git"], Transaction(), "dnf")


@pytest.mark.security("A4")
def test_name_that_would_be_taken_as_something_else_is_refused():
    for name in ("-o=Dir::Etc=/x", "--allow-remove-essential", "/x.deb", "./x", "docker-", "a b", "", "a=1", "*"):
        with pytest.raises(LabError):
            check_names(["git", name])


@pytest.mark.parametrize(
    ("release", "manager"),
    [
        ("ID=debian\n", "apt-get"),
        ('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', "apt-get"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt-get"),
        ('ID="amzn"\nID_LIKE="fedora"\n', "dnf"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf"),
        ("ID=fedora\n", "dnf"),
        ("ID=arch\n", ""),
        ("", ""),
    ],
)
def test_package_manager_is_known_by_the_name_of_the_system(release, manager):
    assert manager_of(release) == manager
