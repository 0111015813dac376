# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs that build the same image: one builds, the other waits and takes what was built."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.desi.lab.plugins.modules import image_build

LABELS = {"desi.lab.context": "c0ffee"}
PARAMS = {"name": "my-lab:1", "labels": LABELS, "nocache": False, "progress": ""}


@pytest.mark.parametrize(
    ("labels", "wanted", "made"),
    [
        ({"desi.lab.context": "c0ffee", "more": "x"}, LABELS, True),
        ({"desi.lab.context": "0"}, LABELS, False),
        ({}, LABELS, False),
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

    def build(params, _file):
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
    first = threading.Thread(target=image_build.build_once, args=(PARAMS,))
    first.start()
    assert begun.wait(20)
    image_build.build_once({**PARAMS, **more})
    first.join(20)
    assert len(built) == builds


def test_without_a_place_for_locks_it_builds(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for place in (None, tmp_path / "file/state"):
        with image_build.alone("a", place, print) as waited:
            assert waited is False


def test_build_is_given_the_proxies_of_the_caller_on_no_command_line():
    network = {"https_proxy": "http://ann:secret@p:1", "HTTPS_PROXY": "http://ann:secret@p:1", "SSL_CERT_FILE": "/c"}
    params = {"name": "a:1", "labels": {}, "nocache": False, "args": {"BASE": "b:1"}, "network": network}
    command, known = image_build.command_of(params, by_buildkit=False)
    assert command[-5:] == ["--build-arg", "https_proxy", "--build-arg", "BASE", "-"]
    assert "secret" not in " ".join(command)
    assert known == {"DOCKER_BUILDKIT": "0", "https_proxy": network["https_proxy"], "BASE": "b:1"}
