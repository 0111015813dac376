#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build an image and show its progress
version_added: "0.1.0"
description:
  - Builds an image from a directory with a Dockerfile, by C(docker build) with the builder that every engine has. A
    Dockerfile with what only BuildKit knows is built by C(docker buildx), or refused where that is not installed.
  - The directory is on the controller, and is sent to the host as one tar archive. Links in it stay links,
    C(.dockerignore) is honored, and C(.git) is left out.
  - Where another run of the same user builds an image of that name, it is waited for, and its image is taken if it has
    all of O(labels).
  - It is always built by the engine's own builder, whatever E(BUILDX_BUILDER) and E(DOCKER_BUILDKIT) say.
  - Unlike C(community.docker.docker_image_build) it needs no plugin of Docker's, and reports its step, which the
    callback P(desi.lab.steps#callback) shows on a terminal.
requirements:
  - the command C(docker)
options:
  name: &name
    description: The name of the image, with its tag.
    type: str
    required: true
  path: &path
    description: The build context, a directory on the controller.
    type: path
    required: true
  host_file:
    description: A file of the host to add to the build context. Empty adds an empty one.
    type: path
    default: ""
  host_file_name:
    description: The name of O(host_file) in the build context. Empty adds none.
    type: str
    default: ""
  archive: &archive
    description: The build context as a tar archive on the host. Set by the action plugin.
    type: path
    default: ""
  nocache:
    description: Whether to build without Docker's cache.
    type: bool
    default: false
  args: &args
    description: The build arguments. Their values are on no command line.
    type: dict
    default: {}
  network:
    description: >-
      The variables of the caller by which programs reach the network. The build is given the proxies among them. Set by
      the action plugin on this computer.
    type: dict
    default: {}
  proxy_credentials:
    description: >-
      Whether the build is given proxies with a user and a password, too. Each step of its Dockerfile sees them, and can
      send them away.
    type: bool
    default: false
    version_added: "0.2.0"
  labels: &labels
    description: The labels of the image.
    type: dict
    default: {}
  beside:
    description:
      - Further images that are built at the same time, each from a directory of its own. O(nocache), O(network) and
        O(proxy_credentials) hold for them, too.
      - What fails of them is left out of RV(beside), and is no failure. If the image itself fails, they are ended.
    type: list
    elements: dict
    default: []
    version_added: "0.2.0"
    suboptions:
      name: *name
      path: *path
      archive: *archive
      args: *args
      labels: *labels
  progress:
    description: A file that holds the step of the build, until it ends. Set by the action plugin.
    type: path
    default: ""
extends_documentation_fragment: desi.lab.attributes
attributes:
  idempotent:
    support: none
    details: Builds each time.
"""

EXAMPLES = r"""
- name: Build an image
  desi.lab.image_build:
    name: my-lab:1
    path: /home/ann/my-lab
    labels:
      org.opencontainers.image.authors: ann
"""

RETURN = r"""
output:
  description: The builder's output.
  returned: always, but not in check mode
  type: list
  elements: str
image:
  description: The image, as C(docker image inspect) shows it.
  returned: success, but not in check mode
  type: dict
beside:
  description: Those of O(beside) that were built, as C(docker image inspect) shows them.
  returned: success, but not in check mode
  type: list
  elements: dict
"""

import contextlib
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.files import closing, open_lock, open_made, wait_for_lock
from ..module_utils._common.privileges import as_caller
from ..module_utils._common.run_log import state_directory
from ..module_utils._docker.dockerfile import asks_for_buildkit, buildkit_reason
from ..module_utils._docker.engine import current_endpoint
from ..module_utils._docker.progress import Process, ProgressFile, build_progress, follow

MOST_BYTES = 1 << 20
# What is said of each image, also of one beside another.
EACH_BUILD = {
    "name": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "archive": {"type": "path", "default": ""},
    "args": {"type": "dict", "default": {}},
    "labels": {"type": "dict", "default": {}},
}
# Another builder that somebody has set up sees none of the engine's images, or is on another computer.
ENGINES_OWN = {"BUILDX_BUILDER": "default"}
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def command_of(params: dict, by_buildkit: bool) -> tuple[list[str], dict[str, str]]:
    """Return the build command and its environment."""
    builder = ["buildx", "build", "--load", "--progress", "plain"] if by_buildkit else ["build", "--force-rm"]
    command = ["docker", *builder, "--tag", params["name"]]
    command += ["--no-cache"] if params["nocache"] else []
    for name, value in params["labels"].items():
        command += ["--label", f"{name}={value}"]
    # Docker keeps these arguments out of an image whose Dockerfile does not name them; each of its steps sees them.
    proxies = {
        name: value
        for name, value in params["network"].items()
        if name in PROXIES and (params["proxy_credentials"] or "@" not in str(value))
    }
    arguments = {name: str(value) for name, value in {**proxies, **params["args"]}.items()}
    for name in arguments:
        command += ["--build-arg", name]
    known = {"DOCKER_BUILDKIT": str(int(by_buildkit)), **ENGINES_OWN, **arguments}
    return [*command, "-"], known


def add_file(archive: BinaryIO, name: str, content: bytes, out: BinaryIO) -> None:
    """Copy a tar archive, and add a file."""
    with tarfile.open(fileobj=archive, mode="r|*") as members, tarfile.open(fileobj=out, mode="w|") as more:
        for member in members:
            if member.name != name:
                more.addfile(member, members.extractfile(member) if member.isreg() else None)
        header = tarfile.TarInfo(name)
        header.size, header.mode = len(content), 0o644
        more.addfile(header, io.BytesIO(content))


def needs_buildkit(archive: str) -> bool:
    """Return whether to build by BuildKit; LabError if that is needed and not there."""
    dockerfile = ""
    with contextlib.suppress(KeyError, OSError, tarfile.TarError), tarfile.open(archive) as members:
        file = members.extractfile("Dockerfile")
        dockerfile = file.read(MOST_BYTES).decode(errors="replace") if file else ""
    if not asks_for_buildkit(dockerfile):
        return False
    if subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode == 0:
        return True
    reason = buildkit_reason(dockerfile)
    if reason:
        raise LabError(
            "The image could not be built.",
            f"Its Dockerfile has {reason}, which only BuildKit knows, and that is not installed here.",
            "Install Docker's plugin buildx (docker-buildx-plugin), or write the Dockerfile without it.",
        )
    return False


def build(params: dict, file: ProgressFile, begun: Callable[[Process], None]) -> tuple[int, str]:
    """Build from the archive; return the exit code and the output. The builder's process is given to ``begun``."""
    command, known = command_of(params, needs_buildkit(params["archive"]))
    with contextlib.ExitStack() as opened:
        source: BinaryIO = opened.enter_context(Path(params["archive"]).open("rb"))
        if params["host_file_name"]:
            content = Path(params["host_file"]).read_bytes() if params["host_file"] else b""
            whole: BinaryIO = opened.enter_context(tempfile.TemporaryFile())
            add_file(source, params["host_file_name"], content, whole)
            whole.seek(0)
            source = whole
        # The builder "default" is that of the engine at DOCKER_HOST.
        known = {**known, **current_endpoint().environment}
        return follow(command, lambda line: file.write(build_progress(line)), known, False, source, begun)


def inspect(name: str) -> dict:
    """Return the engine's description of an image; empty without one."""
    done = subprocess.run(["docker", "image", "inspect", name], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)[0] if done.returncode == 0 else {}


def not_loaded(name: str) -> LabError:
    return LabError(
        f"The image {name} was built, and Docker Engine does not have it.",
        "What built it is another builder than the engine's own, and kept it.",
        "Use the engine's own: docker buildx uninstall; docker buildx use default",
    )


def is_made(image: dict, params: dict) -> bool:
    """Return whether an image is the desired one, by the sources in its labels."""
    has = (image.get("Config") or {}).get("Labels") or {}
    return bool(params["labels"]) and all(has.get(name) == str(value) for name, value in params["labels"].items())


def lock_of(name: str, directory: Path | None) -> int:
    """Open the file that runs of this user lock to build an image of that name; -1 where there is no place for it."""
    file = f"image-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
    # The directory is the caller's, under sudo too.
    with contextlib.suppress(OSError), as_caller(os.environ):
        if directory:
            with closing(open_made(str(directory), 0o700)) as folder:
                return open_lock(folder, file)
    return -1


@contextlib.contextmanager
def alone(lock: int, report: Callable[[str], None]) -> Iterator[bool]:
    """Let no other run of this user build the image of a lock meanwhile; yield whether one did so before.

    The lock is closed in the end.
    """
    if lock < 0:
        yield False
        return
    with closing(lock):
        yield wait_for_lock(lock, lambda: report("waiting for another run that builds it"))


def build_once(params: dict, lock: int, file: ProgressFile, begun: Callable[[Process], None]) -> tuple[int, str]:
    """Build, unless another run has just built the same."""
    with alone(lock, file.write) as waited:
        if waited and not params["nocache"] and is_made(inspect(params["name"]), params):
            return 0, ""
        return build(params, file, begun)


def build_all(params: dict) -> tuple[int, str, list[str]]:
    """Build, and the images beside it at the same time; return exit code and output, and which of those were built."""
    directory = state_directory(os.environ, os.geteuid())
    # Before any thread runs: as the caller is who the whole process is for that moment.
    own, *locks = [lock_of(each["name"], directory) for each in (params, *params["beside"])]
    builders: list[Process] = []
    built: list[str] = []

    def build_beside(more: dict, lock: int) -> None:
        shared = {name: params[name] for name in ("nocache", "network", "proxy_credentials")}
        # Who needs it builds it again, and tells why that fails.
        with contextlib.suppress(LabError, OSError):
            code, _said = build_once({**shared, **more, "host_file_name": ""}, lock, ProgressFile(""), builders.append)
            if not code:
                built.append(more["name"])

    threads = [threading.Thread(target=build_beside, args=given, daemon=True) for given in zip(params["beside"], locks)]
    code = 1
    with ProgressFile(params["progress"], every=0) as file:
        try:
            for thread in threads:
                thread.start()
            code, said = build_once(params, own, file, builders.append)
            for thread, more in zip(threads, params["beside"] if not code else ()):
                file.write(f"waiting for the image {more['name']}, which is built at the same time")
                thread.join()
        finally:
            for builder in builders if code else ():
                builder.terminate()
    return code, said, built


def main() -> None:
    module = AnsibleModule(
        {
            **EACH_BUILD,
            "host_file": {"type": "path", "default": ""},
            "host_file_name": {"type": "str", "default": ""},
            "nocache": {"type": "bool", "default": False},
            "network": {"type": "dict", "default": {}, "no_log": True},
            "proxy_credentials": {"type": "bool", "default": False, "no_log": False},
            "beside": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": EACH_BUILD,
            },
            "progress": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True)
    try:
        code, said, built = build_all(module.params)
    except LabError as error:
        module.fail_json(output=[], **error.as_result())
    except FileNotFoundError as error:
        module.fail_json(msg=f"There is no {error.filename} on this computer.", output=[])
    except OSError as error:
        module.fail_json(msg=f"The files of the build could not be read or written ({error.strerror}).", output=[])
    if code:
        module.fail_json(msg=said or f"docker build ended with {code}", output=said.splitlines())
    image = inspect(module.params["name"])
    if not image:
        module.fail_json(output=said.splitlines(), **not_loaded(module.params["name"]).as_result())
    beside = [found for name in built if (found := inspect(name))]
    module.exit_json(changed=True, output=said.splitlines(), image=image, beside=beside)


if __name__ == "__main__":
    main()
