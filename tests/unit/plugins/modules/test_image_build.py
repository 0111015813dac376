# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs that build the same image: one builds, the other waits and takes what was built."""

import io
import tarfile
import threading
from pathlib import Path

import pytest
from loopback import await_that

from ansible_collections.desi.lab.plugins.modules import image_build

LABELS = {"desi.lab.context": "c0ffee"}
PARAMS = {"name": "my-lab:1", "labels": LABELS, "nocache": False, "progress": "", "beside": []}


@pytest.mark.parametrize(
    ("labels", "wanted", "made"),
    [
        ({"desi.lab.context": "c0ffee", "more": "x"}, LABELS, True),
        ({"desi.lab.context": "0"}, LABELS, False),
        (None, LABELS, False),
        # Without a label nobody knows from what it was built.
        ({"a": "b"}, {}, False),
    ],
)
def test_image_is_the_one_to_be_built_if_its_labels_say_so(labels, wanted, made):
    assert image_build.is_made({"Config": {"Labels": labels}}, {"labels": wanted}) is made


@pytest.mark.parametrize(
    ("there", "more", "builds"),
    [(LABELS, {}, 1), ({}, {}, 2), (LABELS, {"nocache": True}, 2), (LABELS, {"name": "b"}, 2)],
)
def test_second_run_waits_and_builds_only_what_is_not_there(tmp_path, monkeypatch, there, more, builds):
    begun, waits, built = threading.Event(), threading.Event(), []

    def build(params, *_given):
        built.append(params["name"])
        begun.set()
        # The first goes on once the second waits, or has built at the same time.
        if len(built) == 1:
            assert waits.wait(20)
        waits.set()
        return 0, "built"

    monkeypatch.setattr(image_build, "build", build)
    monkeypatch.setattr(image_build, "inspect", lambda _name: {"Config": {"Labels": there}})
    monkeypatch.setattr(image_build, "state_directory", lambda *_given: tmp_path / "state")
    monkeypatch.setattr(
        image_build.ProgressFile, "write", lambda _file, text: waits.set() if "waiting" in text else None
    )
    first = threading.Thread(target=image_build.build_all, args=(PARAMS,))
    first.start()
    assert begun.wait(20)
    image_build.build_all({**PARAMS, **more})
    first.join(20)
    assert len(built) == builds


# A builder that goes on until it is told to, or is ended.
BUILDER = """#!/bin/sh
case "$1" in image) test -f {folder}/$3 && echo '[{{"Id": "'$3'"}}]'; exit ;; esac
echo $$ > {folder}/$4.pid
cat > /dev/null
until [ -e {folder}/$4.goes ]; do sleep 0.02; done
[ $(cat {folder}/$4.goes) = well ] && touch {folder}/$4
"""


@pytest.mark.parametrize(
    ("main", "other", "code", "beside"), [("well", "well", 0, ["b"]), ("well", "badly", 0, []), ("badly", "", 1, None)]
)
def test_images_are_built_at_the_same_time(call, tmp_path, monkeypatch, main, other, code, beside):
    program = tmp_path / "docker"
    program.write_text(BUILDER.format(folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    # Rights are those of a process, and not of a thread.
    changing, as_caller = [], image_build.as_caller
    monkeypatch.setattr(
        image_build, "as_caller", lambda known: changing.append(threading.current_thread()) or as_caller(known)
    )
    (tmp_path / "empty").touch()
    context = {"path": str(tmp_path), "archive": str(tmp_path / "empty")}

    def end():
        # Both run before one of them ends.
        await_that(lambda: all((tmp_path / f"{name}.pid").exists() for name in "ab"))
        (tmp_path / "a.goes").write_text(main)
        if other:
            (tmp_path / "b.goes").write_text(other)

    ending = threading.Thread(target=end)
    ending.start()
    found, result = call(image_build, name="a", **context, beside=[{"name": "b", **context}])
    ending.join(20)
    assert (found, [each["Id"] for each in result["beside"]] if "beside" in result else None) == (code, beside)
    assert changing == [threading.main_thread()] * 2
    number = int((tmp_path / "b.pid").read_text())
    await_that(lambda: not Path(f"/proc/{number}").exists() or "zombie" in Path(f"/proc/{number}/status").read_text())


def test_without_a_place_for_locks_it_builds(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for place in (None, tmp_path / "file/state"):
        with image_build.alone(image_build.lock_of("a", place), print) as waited:
            assert waited is False


# Whoever wrote a Dockerfile sees what its steps are given.
@pytest.mark.security("H2")
@pytest.mark.parametrize(
    ("own", "proxy", "given"),
    [
        (True, "http://ann:secret@p:1", True),
        (False, "ann:1234#secret@p:1", False),
        (False, "http://p:1", True),
    ],
)
def test_build_is_given_the_proxies_of_the_caller_on_no_command_line(own, proxy, given):
    network = {"https_proxy": proxy, "HTTPS_PROXY": proxy, "SSL_CERT_FILE": "/c"}
    params = {"name": "a:1", "labels": {}, "nocache": False, "args": {"BASE": "b:1"}, "network": network}
    command, known = image_build.command_of({**params, "proxy_credentials": own}, by_buildkit=False)
    named = ["--build-arg", "https_proxy"] if given else []
    assert command == ["docker", "build", "--force-rm", "--tag", "a:1", *named, "--build-arg", "BASE", "-"]
    proxies = {"https_proxy": proxy} if given else {}
    assert known == {"DOCKER_BUILDKIT": "0", **image_build.ENGINES_OWN, **proxies, "BASE": "b:1"}


DOCKER = """#!/bin/sh
case "$1 $2" in
'buildx version') exit {buildx} ;;
'buildx build') echo "$DOCKER_BUILDKIT $BUILDX_BUILDER $DOCKER_HOST" > {folder}/by_buildx ;;
'build --force-rm') echo "$DOCKER_BUILDKIT" > {folder}/by_engine ;;
'image inspect') {image} ;;
esac
cat > /dev/null
"""
MADE = """echo '[{"Id": "1"}]'"""
MOUNT = "FROM x\nRUN --mount=type=cache,target=/c true\n"


@pytest.mark.parametrize(
    ("dockerfile", "buildx", "made", "built", "why"),
    [
        ("FROM x\n", 1, True, ("by_engine", "0"), ""),
        (MOUNT, 0, True, ("by_buildx", "1 default unix:///x.sock"), ""),
        ("# syntax=docker/dockerfile:1\nFROM x\n", 1, True, ("by_engine", "0"), ""),
        (MOUNT, 1, True, None, "which only BuildKit knows"),
        ("FROM x\n", 0, False, ("by_engine", "0"), "another builder"),
    ],
)
def test_engines_own_builder_builds_whatever_is_set_up(
    call, tmp_path, monkeypatch, dockerfile, buildx, made, built, why
):
    program = tmp_path / "docker"
    program.write_text(DOCKER.format(buildx=buildx, folder=tmp_path, image=MADE if made else "exit 1"))
    program.chmod(0o755)
    with tarfile.open(tmp_path / "context.tar", "w") as archive:
        header = tarfile.TarInfo("Dockerfile")
        header.size = len(dockerfile)
        archive.addfile(header, io.BytesIO(dockerfile.encode()))
    hostile = {"BUILDX_BUILDER": "far", "DOCKER_BUILDKIT": "1", "DOCKER_HOST": "unix:///x.sock"}
    for name, value in {**hostile, "PATH": f"{tmp_path}:/usr/bin:/bin", "XDG_STATE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    code, result = call(image_build, name="a:1", path=str(tmp_path), archive=str(tmp_path / "context.tar"))
    assert (code, why in result.get("why", "")) == (1 if why else 0, True)
    found = [
        (each, (tmp_path / each).read_text().strip())
        for each in ("by_buildx", "by_engine")
        if (tmp_path / each).exists()
    ]
    assert found == ([built] if built else [])
