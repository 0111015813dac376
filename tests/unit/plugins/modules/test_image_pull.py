# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import tarfile
from functools import partial

import pytest

from ansible_collections.desi.lab.plugins.modules import image_build, image_pull
from ansible_collections.desi.lab.plugins.plugin_utils._build_context import write_context


@pytest.fixture
def docker(program):
    return partial(program, "docker")


@pytest.fixture
def run(call):
    def run_module(module, **arguments):
        result = call(module, **arguments)[1]
        result.pop("invocation", None)
        return result

    return run_module


BUILT = """[ "$1" = image ] && echo '[{"Id": "sha256:1"}]' && exit"""
STORE = '[ "$1" = image ] && exec cat id'


def test_pull_that_brings_another_image_is_a_change(run, docker, tmp_path):
    (tmp_path / "id").write_text("old")
    docker(f'{STORE}\necho "$@" > asked\necho new > id')
    assert run(image_pull, name="me/lab:1") == {"changed": True, "id": "new"}
    assert (tmp_path / "asked").read_text() == "pull -- me/lab:1\n"
    assert run(image_pull, name="me/lab:1") == {"changed": False, "id": "new"}


def test_pull_that_fails_says_what_docker_said_last(run, docker):
    docker("[ $1 = image ] && exit 1\necho 'main: Pulling from me/lab'\necho 'Error: manifest unknown' >&2\nexit 1")
    assert run(image_pull, name="me/lab:1")["msg"] == "Error: manifest unknown"


def test_pull_writes_how_far_it_is_and_takes_that_away(run, docker, tmp_path):
    docker(f"{STORE}\necho 'a1b2c3d4e5f6: Pull complete'\nsleep 0.1\ncat progress > seen; touch id")
    run(image_pull, name="me/lab:1", progress=str(tmp_path / "progress"))
    assert (tmp_path / "seen").read_text() == "1 of 1 layers"
    assert not (tmp_path / "progress").exists()


def test_check_mode_pulls_and_builds_nothing(run, docker, tmp_path):
    docker("touch called")
    assert run(image_pull, name="me/lab:1", _ansible_check_mode=True) == {"changed": True}
    assert run(image_build, name="me/lab:1", path="/lab", _ansible_check_mode=True) == {"changed": True}
    assert not (tmp_path / "called").exists()


@pytest.fixture
def archive(tmp_path):
    """A context on its host."""
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch")
    (tmp_path / "context" / "link").symlink_to("/etc/hostname")
    with (tmp_path / "context.tar").open("wb") as out:
        write_context(str(tmp_path / "context"), out, compress=True)
    return str(tmp_path / "context.tar")


def test_build_names_labels_and_arguments_and_keeps_values_off_the_command_line(run, docker, tmp_path, archive):
    docker(f'{BUILT}\necho "$@" > asked\necho $DOCKER_BUILDKIT $http_proxy\necho "Step 1/2 : FROM x"')
    result = run(
        image_build,
        name="lab:1",
        path="/lab",
        archive=archive,
        nocache=True,
        args={"http_proxy": "http://ann:sesame@proxy:1"},
        labels={"desi.lab.context": "c0ffee"},
    )
    asked = "build --force-rm --tag lab:1 --no-cache --label desi.lab.context=c0ffee --build-arg http_proxy -\n"
    assert (tmp_path / "asked").read_text() == asked
    output = ["0 http://ann:sesame@proxy:1", "Step 1/2 : FROM x"]
    assert result == {"changed": True, "output": output, "image": {"Id": "sha256:1"}, "beside": []}


@pytest.mark.security("H2")
@pytest.mark.parametrize("host_file", ["", "ca.pem"])
def test_build_is_handed_the_archive_with_the_file_of_the_host_as_one_more_member(
    run, docker, tmp_path, archive, host_file
):
    (tmp_path / "ca.pem").write_text("CERTIFICATE")
    docker(f"{BUILT}\ncat > whole")
    path = str(tmp_path / host_file) if host_file else ""
    result = run(image_build, name="x:1", path="/lab", archive=archive, host_file=path, host_file_name="ca-bundle.crt")
    assert result["changed"]
    with tarfile.open(tmp_path / "whole") as found:
        assert found.extractfile("ca-bundle.crt").read() == (b"CERTIFICATE" if host_file else b"")
        assert found.getmember("link").linkname == "/etc/hostname"
        assert found.getnames() == ["Dockerfile", "link", "ca-bundle.crt"]


def test_build_that_fails_says_all_that_the_builder_said(run, docker, archive):
    docker("echo 'Step 1/1 : RUN false'\necho 'E: no package' >&2\nexit 1")
    result = run(image_build, name="lab:1", path="/lab", archive=archive)
    assert result["msg"] == "Step 1/1 : RUN false\nE: no package"
