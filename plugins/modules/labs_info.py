#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: labs_info
short_description: Inspect the labs on a host, its engine and its user
version_added: "0.1.0"
description:
  - Reads the labels of containers and networks, which are the only record of a lab. They go with every image that is
    made of a lab, so a container is a lab's only if it is named C(desi-lab-NAME), C(desi-lab-NAME-*) or
    C(desi-lab-mount-lab-NAME), too. A server is named C(desi-lab-NAME) or, while it is being replaced,
    C(desi-lab-NAME-before).
  - Queries everything in parallel, and the engine by its API. An engine, a mount or a server that hangs does not keep
    the module from returning what the others answer.
  - With O(url), the result has a secret. Put C(no_log=true) on the task then.
options:
  mounts:
    description: The directory below which buckets are mounted.
    type: path
    default: /var/lib/desi-lab/mounts
  ask:
    description: Whether to query each server, each mount and the images.
    type: bool
    default: true
  url:
    description: The lab whose server's URL is returned, with its token.
    type: str
    default: ""
  verify:
    description:
      - Whether to verify as well that this server accepts its token, and that its container can list the data and has
        the lab's folder.
    type: bool
    default: false
  folder:
    description: The directory that the lab shares.
    type: str
    default: ""
  authorities:
    description: Files of certificate authorities. The first that exists is returned.
    type: list
    elements: path
    default: []
  data:
    description:
      - A directory of DESI data, and the options of M(desi.lab.data_layout_info) with which its layout is queried, with
        its links. Without it, none is.
    type: dict
    suboptions:
      path:
        description: The directory.
        type: str
        required: true
      release:
        description: The data release.
        type: str
        required: true
      releases:
        description: The releases that are known.
        type: dict
        required: true
      shared:
        description: The directory that notebooks can write to.
        type: str
        default: ""
      writable:
        description: Whether notebooks can write to the data.
        type: bool
        default: false
    version_added: "0.2.0"
  address:
    description: The IP address at which O(port) is queried.
    type: str
    default: 127.0.0.1
    version_added: "0.2.0"
  port:
    description: A TCP port to query. It is not where the server of the lab O(url) runs and publishes it, or with V(0).
    type: int
    default: 0
    version_added: "0.2.0"
  system:
    description: Whether to query as well what a lab on an EC2 instance needs of its system.
    type: bool
    default: false
    version_added: "0.2.0"
  timeout:
    description: Seconds to wait for the server's URL, if it has just been started.
    type: float
    default: 60
extends_documentation_fragment: desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: List the labs
  desi.lab.labs_info:
  register: found

- name: Read the URL of lab desi
  desi.lab.labs_info:
    url: desi
    ask: false
  register: found
  no_log: true
"""

RETURN = r"""
labs:
  description: A row for each lab, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The lab's name.
      type: str
    owner:
      description: The user as whom it runs; empty if its image says that.
      type: str
    where:
      description: Where it runs.
      type: str
    state:
      description: V(running), or the state that Docker gives.
      type: str
    since:
      description: When that state began, as Docker writes times (UTC).
      type: str
    release:
      description: The data release.
      type: str
    image:
      description: The image.
      type: str
    image_newer:
      description: Whether that name is another image here by now; null if not known.
      type: bool
    data:
      description: Where the data come from.
      type: str
    mount:
      description: The directory of the host around the bucket's mount; empty without one.
      type: str
    mount_answers:
      description: Whether the mount can be listed; null without one, or if not queried.
      type: bool
    folder:
      description: The user's directory.
      type: str
    address:
      description: The address on which the server is published.
      type: str
    port:
      description: The port on which it is published.
      type: int
    server_answers:
      description: Whether the server answers; null if it does not run, or was not queried.
      type: bool
    workers:
      description: How many containers of Dask workers it has.
      type: int
    dask:
      description: As RV(server.dask); null if it has no scheduler that runs, or was not queried.
      type: dict
others:
  description: Whose labs are known to be other users' than RV(user), by the labs' names. For root, none is.
  returned: success
  type: dict
containers:
  description: Every container of every lab.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The container's name.
      type: str
    lab:
      description: The lab that it belongs to.
      type: str
    role:
      description: What it does, such as V(server).
      type: str
    running:
      description: Whether it runs.
      type: bool
    server:
      description: The id of the server's container that a Dask scheduler or worker was made for; empty for all others.
      type: str
    memory:
      description: The most memory that it may take, in bytes. V(0) means no limit.
      type: int
    state:
      description: Its state, as Docker says, such as V(created).
      type: str
    certificate:
      description: The SHA-256 of the certificate of a Dask scheduler or worker; empty for all others.
      type: str
networks:
  description: Every network of every lab.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The network's name.
      type: str
    lab:
      description: The lab that it belongs to.
      type: str
mounts:
  description: Every directory around a bucket's mount.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The directory.
      type: str
    labs:
      description: The labs that use it.
      type: list
      elements: str
    made_for:
      description: The labs that it was made for since the last boot.
      type: list
      elements: str
link_local:
  description: Whether the firewall rule of M(desi.lab.link_local) is installed.
  returned: success
  type: bool
link_local_lost:
  description: Whether it is installed and not in force, as after a boot.
  returned: success
  type: bool
user:
  description: The user whom files belong to, as M(desi.lab.user_info) returns it.
  returned: success
  type: dict
docker:
  description: The engine, as M(desi.lab.docker_engine_info) returns it.
  returned: success
  type: dict
server:
  description: The server of the lab O(url); empty without one.
  returned: success
  type: dict
  contains:
    url:
      description: Its URL with the token, as it is reached on this host; empty if there is none.
      type: str
    login:
      description: What its server asks for that the URL does not have, V(token) or V(password).
      returned: when it is not known
      type: str
    error:
      description: C(what), C(why) and C(do) where it has no URL.
      type: dict
    container:
      description:
        - Its container as C(docker inspect) describes it, with its labels of DESI Lab, state, user, rights, networks,
          ports and limits only. With O(folder) or O(verify), what has the name of one where there is none.
        - One whose replacement was interrupted, which has C(-before) behind its name, as long as nothing else has that.
      type: dict
    network:
      description:
        - V(ours) or V(foreign) if there is a network of the lab's name, otherwise empty. With O(folder) or O(verify)
          only.
      type: str
    accepts_token:
      description: Whether it accepts its token. With O(verify) only.
      type: bool
    sees_data:
      description: Whether its container can list the release. With O(verify) only.
      type: bool
    sees_folder:
      description:
        - Whether its container has the directory that is at the path of the lab's folder now, which may have been made
          anew since. V(true) where that is not known. With O(verify) only.
      type: bool
      version_added: "0.2.0"
    foreign:
      description: Containers that have names as those of the lab's workers, and are not the lab's. With O(verify) only.
      type: list
      elements: str
    dask:
      description: What its Dask scheduler says; null if there is none that answers. With O(verify) only.
      type: dict
      contains:
        workers:
          description: The workers that are connected.
          type: int
        processing:
          description: The tasks that are computed.
          type: int
        waiting:
          description: The tasks that wait for others.
          type: int
        memory:
          description: The tasks whose results are kept in memory.
          type: int
folder:
  description:
    - C(exists), C(isdir), C(uid), C(gid), C(mode) and C(writeable) of O(folder), as module stat has them.
    - Where it is not known whether it exists, C(problem) is why, such as V(Permission denied).
  returned: success
  type: dict
authorities:
  description: The C(path) and SHA-1 C(checksum) of the first of O(authorities) that exists; both empty if none does.
  returned: success
  type: dict
layout:
  description:
    - What M(desi.lab.data_layout_info) returns of O(data). If it would fail, C(failed), C(what), C(why) and C(do).
    - Empty without O(data).
  returned: success
  type: dict
port:
  description:
    - What M(desi.lab.port_info) returns of O(port). If it would fail, C(failed), C(what), C(why) and C(do).
    - Empty if it was not queried.
  returned: success
  type: dict
system:
  description: What a lab on an EC2 instance needs of its system. Empty without O(system).
  returned: success
  type: dict
  contains:
    distribution:
      description: The C(ID) of C(/etc/os-release), such as V(amzn).
      type: str
    programs:
      description: Which of C(dockerd), C(mount-s3) and C(rsync) it has.
      type: list
      elements: str
    updated:
      description: Whether role C(ec2_host) has updated its packages.
      type: bool
    watcher:
      description:
        - C(files) is the SHA-256 of each file of its watcher that is as role C(autostop) makes them, by its path.
        - C(runs) is whether the watcher's timer runs as its file says, now and after the next boot.
      type: dict
images:
  description: The ids of local images by name. Empty if O(ask=false).
  returned: success
  type: dict
engine:
  description: Whether a Docker Engine answers. If not, only the mounts are returned.
  returned: success
  type: bool
reason:
  description: Why no engine answers, as a sentence.
  returned: success
  type: str
"""

import os
import stat
import typing as t
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.errors import LabError
from ..module_utils._common.parallel import side_by_side
from ..module_utils._common.users import invoking_user
from ..module_utils._dask.scheduler import WORKER_ROLE
from ..module_utils._docker.link_local import FOLDER, MARK
from ..module_utils._docker.link_local import NAME as PROGRAM_NAME
from ..module_utils._docker.ports import query_port
from ..module_utils._jupyter.host import (
    Inventory,
    foreign_members,
    lab_server,
    members,
    names_taken,
    scheduler_counts,
    server_container,
    take_inventory,
    verified_server,
)
from ..module_utils._lab.answers import servers
from ..module_utils._lab.data_layout import query_layout
from ..module_utils._lab.labels import (
    CERTIFICATE,
    NAME,
    ROLE,
    SERVER,
    digest_in,
    is_of_another,
    lab_row,
    labels_of,
    mount_users,
    owner_of,
    published,
)
from ..module_utils._lab.probe import mount_answers, server_answers
from ..module_utils._lab.system import query_system
from ..module_utils._mount.shared_place import place_of
from ..module_utils._mount.users import users_of

Params = t.Mapping[str, t.Any]
Parts = t.Dict[str, t.Callable[[], t.Any]]  # noqa: UP006 - evaluated by Python 3.9, too
Row = t.Mapping[str, t.Any]

ENGINE_SECONDS = 20.0
LAYOUT_SECONDS = 2 * ENGINE_SECONDS + 2
# More than what a single mount or server is given.
PROBE_SECONDS = 4.0


def mounted(root: str) -> list[tuple[str, list[str]]]:
    """Return the directories around mounts, with the labs that each was made for."""
    folder = Path(root)
    found = sorted(str(entry) for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
    return [(path, users_of(f"{path}/.bucket").labs) for path in found]


def probes(row: Row) -> dict[str, tuple[str, t.Callable[[], bool]]]:
    """Return the probes of a lab's mount and server, by the field of the answer. Labs share a mount's answer."""
    found: dict[str, tuple[str, t.Callable[[], bool]]] = {}
    mount, address, port = row["mount"], row["address"], row["port"]
    if mount:
        found["mount_answers"] = f"mount {mount}", lambda: mount_answers(mount)
    if row["state"] == "running" and port:
        found["server_answers"] = f"server {address} {port}", lambda: server_answers(address, port)
    return found


def dask_of(inventory: Inventory, name: str) -> dict[str, int] | None:
    """Return the counts of a lab's scheduler; None without one that runs and answers."""
    counts = scheduler_counts(inventory, name)
    return counts._asdict() if counts else None


def layout_of(data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the layout of a directory of data, as data_layout_info does."""
    return {**asdict(query_layout(**data, links=True)), "place": place_of(data["path"])}


def hung(path: str) -> LabError:
    """Return the error of a directory that gave no answer."""
    return LabError(
        f"The folder {path} could not be read.",
        f"It gave no answer within {LAYOUT_SECONDS:g} seconds.",
        "See to the disk or the server that it is on, then run this again.",
    )


def answer(name: str, answers: t.Mapping[str, t.Any], errors: t.Mapping[str, LabError]) -> dict[str, t.Any]:
    """Return a part's answer, or its error as a failed module has it."""
    return {**errors[name].as_result(), "failed": True} if name in errors else answers.get(name, {})


def about_directory(path: str) -> dict[str, t.Any]:
    """Return what module stat would of a directory, as far as the lab needs it."""
    try:
        about = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return {"exists": False, "isdir": False}
    except OSError as error:
        return {"exists": False, "isdir": False, "problem": error.strerror or str(error)}
    return {
        "exists": True,
        "isdir": stat.S_ISDIR(about.st_mode),
        "uid": about.st_uid,
        "gid": about.st_gid,
        "mode": f"{stat.S_IMODE(about.st_mode):04o}",
        "writeable": os.access(path, os.W_OK),
        "place": place_of(path),
    }


def container_row(container: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the row of a lab's container."""
    labels = labels_of(container)
    return {
        "name": container["Name"].lstrip("/"),
        "lab": labels[NAME],
        "role": labels.get(ROLE, ""),
        "running": container["State"]["Running"],
        "server": digest_in(container, SERVER),
        "memory": container["HostConfig"]["Memory"],
        "state": container["State"]["Status"],
        "certificate": digest_in(container, CERTIFICATE),
    }


def first_look(params: Params) -> tuple[dict[str, t.Any], dict[str, LabError]]:
    """Return what is known of the engine, the mounts and the data, and the errors, by name."""
    data = params["data"]
    parts: Parts = {
        "inventory": lambda: take_inventory(ENGINE_SECONDS, params["ask"]),
        "mounts": lambda: mounted(params["mounts"]),
    }
    if data:
        parts["layout"] = lambda: layout_of(data)
    if params["system"]:
        parts["system"] = query_system
    found, errors = side_by_side(parts, LAYOUT_SECONDS)
    if data and "layout" not in {**found, **errors}:
        errors["layout"] = hung(data["path"])
    return found, errors


def questions(params: Params, inventory: Inventory, rows: t.Iterable[Row]) -> Parts:
    """Return what is queried next, by the name of the answer: labs, the port, and the server of one lab."""
    name, port, verify = params["url"], params["port"], params["verify"]
    parts: Parts = {}
    if params["ask"]:
        parts.update({key: part for row in rows for key, part in probes(row).values()})
        parts.update({f"dask {row['name']}": lambda row=row: dask_of(inventory, row["name"]) for row in rows})
    own = server_container(inventory, name) or {}
    if port and not (published(own)["port"] == port and own["State"]["Running"]):
        parts["port"] = lambda: query_port(params["address"], port)
    if not name:
        return parts
    server = verified_server if verify else lab_server
    parts["url"] = lambda: server(inventory, name, params["timeout"])
    if verify:
        parts[f"dask {name}"] = lambda: dask_of(inventory, name)
        parts["foreign"] = lambda: foreign_members(inventory, name)
    if verify or params["folder"]:
        # It is to be made, perhaps.
        parts["names"] = lambda: names_taken(inventory, name)
    return parts


def server_answer(name: str, inventory: Inventory, answers: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what was answered of the server of a lab."""
    known = {"container": server_container(inventory, name) or {}, "network": ""}
    return {
        **answers.get("url", {"url": "", "error": {}}),
        **answers.get("names", known),
        "dask": answers.get(f"dask {name}"),
        "foreign": answers.get("foreign", []),
    }


def main() -> None:
    module = AnsibleModule(
        {
            "mounts": {"type": "path", "default": "/var/lib/desi-lab/mounts"},
            "ask": {"type": "bool", "default": True},
            "url": {"type": "str", "default": ""},
            "verify": {"type": "bool", "default": False},
            # Type path would put the value of a variable for $NAME, which a path may have in it.
            "folder": {"type": "str", "default": ""},
            "authorities": {"type": "list", "elements": "path", "default": []},
            "data": {
                "type": "dict",
                "options": {
                    "path": {"type": "str", "required": True},
                    "release": {"type": "str", "required": True},
                    "releases": {"type": "dict", "required": True},
                    "shared": {"type": "str", "default": ""},
                    "writable": {"type": "bool", "default": False},
                },
            },
            "address": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 0},
            "system": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    params, name = module.params, module.params["url"]
    found, failed = first_look(params)
    inventory = found["inventory"]
    user, found_servers = invoking_user(), servers(inventory.containers)
    rows = [lab_row(item, None, None, inventory.images) for item in found_servers]
    bound = PROBE_SECONDS + (params["timeout"] + ENGINE_SECONDS if name else 0)
    answers, errors = side_by_side(questions(params, inventory, rows), bound)
    for row in rows:
        row["workers"] = len(members(inventory, row["name"], WORKER_ROLE))
        if params["ask"]:
            row.update({field: answers.get(key, False) for field, (key, _part) in probes(row).items()})
            row["dask"] = answers.get(f"dask {row['name']}")
    authorities = next((path for path in params["authorities"] if Path(path).is_file()), "")
    users, rule = mount_users(inventory.containers), Path(FOLDER, PROGRAM_NAME).exists()
    module.exit_json(
        changed=False,
        user=user,
        docker={"state": inventory.engine.state, **asdict(inventory.engine)},
        engine=not inventory.reason,
        reason=inventory.reason,
        server=server_answer(name, inventory, answers) if name else {},
        images=inventory.images,
        folder=about_directory(params["folder"]) if params["folder"] else {},
        authorities={"path": authorities, "checksum": module.sha1(authorities) if authorities else ""},
        layout=answer("layout", found, failed),
        port=answer("port", answers, errors),
        system=found.get("system", {}),
        labs=rows,
        others={labels_of(item)[NAME]: owner_of(item) for item in found_servers if is_of_another(item, user["uid"])},
        containers=[container_row(item) for item in inventory.containers],
        networks=inventory.networks,
        link_local=rule,
        link_local_lost=rule and not Path(MARK).exists(),
        mounts=[
            {"path": path, "labs": users.get(path, []), "made_for": made_for}
            for path, made_for in found.get("mounts", [])
        ],
    )


if __name__ == "__main__":
    main()
