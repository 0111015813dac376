# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Dask scheduler and workers of a lab: their resources, their versions and their containers."""

from __future__ import annotations

import datetime
import json
import re
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..module_utils._common.errors import LabError
from ..module_utils._common.humanize import GIB, MIB, amount, parse_size
from ..module_utils._common.names import mapping, strict_json, text
from ..module_utils._common.redact import is_secret_name, secrets_in
from ..module_utils._dask.scheduler import PAGE_PORT, PORT
from ..module_utils._docker.limits import memory_by_default

LEAST_MEMORY = GIB
# What a coadd of a healpix pixel with all its intermediate arrays takes; more for one worker helps nobody.
MOST_MEMORY = 4 * GIB
# CFITSIO, which reads FITS files for fitsio, is not safe in several threads as most packages build it
# (https://heasarc.gsfc.nasa.gov/fitsio/c/c_user/node16.html), so that a worker has one, and more workers are more.
THREADS = 1
# The entry point of the embedded image prepares the environment of notebooks for any command.
OUR_ENTRYPOINT = "/usr/local/lib/desi-lab"
CONFIG = "/etc/dask"
# Of workers on machines of their own, one for each.
FIRST_PORT = 9000
# What a nanny sets before it starts a worker.
WITHOUT_NANNY = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# A nanny has each freed array given back to the kernel, so that pages of the next are cleared anew, which doubles the
# time of reading a coadd. These are what glibc comes to by itself where nobody sets anything.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}
SPILL = "/tmp/dask"  # noqa: S108 - of the container itself
HOST = "scheduler"
# Of the server alone, of one process, and what would lead Dask to another configuration than the lab's, which is what
# makes it ask for a certificate.
NOT_SHARED = re.compile(r"(JUPYTER|JPY|DASK)_.*|HOSTNAME|OLDPWD|PWD|SHLVL|_")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Dask's own but for its proxy, which opens WebSockets to any host, and its pages of logs, tracebacks and call stacks,
# which other accounts of the computer could read.
ROUTES = tuple(f"distributed.http.{name}" for name in ("scheduler.prometheus", "scheduler.json", "health", "statics"))
# A lab that is kept for long must not lose its workers by a date.
VALID, CLOCKS_DIFFER = datetime.timedelta(days=3650), datetime.timedelta(days=1)
MOST_BYTES = 1 << 18
PACKAGES = ("python", "dask", "distributed")

Tree = t.Mapping[str, t.Any]


class Resources(t.NamedTuple):
    """What each worker gets, in bytes of memory, and how many fit on the computer; 0 if its memory is not known."""

    memory: int
    fitting: int


def worker_resources(engine: Tree, memory: str = "", lab_memory: str = "", made_with: int = 0) -> Resources:
    """Return the resources of a worker. They are the same for any number of workers.

    ``engine`` is the result of docker_engine_info, ``memory`` and ``lab_memory`` are the settings of these names, and
    ``made_with`` is the memory of workers that exist.
    """
    whole = memory_by_default(int(engine.get("memory") or 0))
    share = whole // (int(engine.get("cpus") or 1) + 1) // MIB * MIB
    each = parse_size(memory) if memory else made_with or min(max(share, LEAST_MEMORY), MOST_MEMORY)
    left = whole - (parse_size(lab_memory) if lab_memory else LEAST_MEMORY)
    return Resources(each, max(0, left // each) if whole else 0)


def memory_of_each(whole: int, workers: int, memory: str = "") -> int:
    """Return the memory of each worker of a computer that does nothing else, in bytes; ``memory`` is the setting."""
    share = memory_by_default(int(whole)) // max(int(workers), 1) // MIB * MIB
    return parse_size(memory) if memory else share


def check_room(lab: str, workers: int, resources: Resources, engine: Tree) -> None:
    """Refuse more workers than the memory of the computer allows."""
    if not workers or not engine.get("memory") or workers <= resources.fitting:
        return
    room = f"there is room for {resources.fitting}" if resources.fitting else "there is room for none"
    less = "give each less memory, for example -e lab_worker_memory=1GiB, or use a larger computer"
    raise LabError(
        f"The lab {lab} cannot have {amount(workers, 'worker')}.",
        f"Each takes {memory_text(resources.memory)} of memory, and beside the lab {room}.",
        f"Say -e lab_workers={resources.fitting}, or {less}." if resources.fitting else f"{less[0].upper()}{less[1:]}.",
    )


def memory_text(size: int) -> str:
    """Return bytes in GiB as people read them."""
    return f"{size / GIB:.1f} GiB".replace(".0 ", " ")


def workers_text(workers: int, memory: int) -> str:
    """Return what a lab's workers are, in words."""
    return f"{amount(workers, 'worker')}, each with 1 processor and {memory_text(memory)} of memory"


class Inside(t.NamedTuple):
    """What is in a lab's container: versions by name, and the environment of its notebooks."""

    versions: dict[str, str]
    environment: dict[str, str]


def parse_inside(answer: str) -> Inside:
    """Return what files/inspect.py of role workers printed; BadAnswer for anything else."""
    found = mapping(strict_json(answer, MOST_BYTES), ("versions", "environment"))
    versions = {text(name): text(version, 100) for name, version in mapping(found["versions"]).items()}
    variables = mapping(found["environment"]).items()
    return Inside(versions, {name: str(value) for name, value in variables if VARIABLE.fullmatch(name)})


def versions_error(image: str, server: Tree, workers: Tree) -> LabError | None:
    """Return why a lab and its workers cannot compute together, None if they can.

    ``workers`` are the versions in the image, ``server`` those in the lab's container, empty for one to be made.
    """
    for name in ("dask", "distributed"):
        if not workers.get(name) or (server and not server.get(name)):
            return LabError(
                "The lab cannot have workers.",
                f"The image {image} does not have {name}." if not workers.get(name) else f"The lab lacks {name}.",
                "Choose an image that has Dask (dask.distributed), for example -e lab_image=embedded, or leave "
                "lab_workers out.",
            )
    differing = [name for name in PACKAGES if server and server.get(name) != workers.get(name)]
    if not differing:
        return None
    found = [f"{name} {server.get(name)} in the lab and {workers.get(name)} in its image" for name in differing]
    return LabError(
        "The lab and its workers would not understand each other.",
        f"They need the same versions, and there is {', '.join(found)}.",
        "Install the version of the image in the lab again, or put yours into an image: ./lab local -e lab_image=…",
    )


def worker_environment(image: Tree, notebooks: Tree) -> dict[str, str]:
    """Return the environment of a worker: that of the container, and over it that of its notebooks.

    Settings of a container are readable by all who may use the engine: secrets that an image was given stay the
    server's, and so do those that only its process has, in URLs, too.
    """
    seen = {name: value for name, value in notebooks.items() if not secrets_in({name: value})}
    found = {
        name: value
        for name, value in {**image, **seen}.items()
        if not NOT_SHARED.fullmatch(name) and not is_secret_name(name)
    }
    return {**ALLOCATOR, **found, "DASK_ROOT_CONFIG": CONFIG}


def worker_names(number: int) -> list[str]:
    return [f"worker-{place}" for place in range(1, number + 1)]


def surplus_workers(containers: t.Iterable[Tree], target: int) -> list[str]:
    """Return the names of the workers that a lab has beyond a number. ``containers`` are its rows of labs_info."""
    prefix = [(str(row["name"]), str(row["name"]).rpartition("-")) for row in containers if row["role"] == "worker"]
    found = [(int(number), f"worker-{number}") for _name, (_lab, _dash, number) in prefix if number.isdecimal()]
    return [name for number, name in sorted(found) if number > target]


def scheduler_command() -> list[str]:
    return [
        *("-m", "distributed.cli.dask_scheduler", "--protocol", "tls"),
        *("--port", str(PORT), "--dashboard-address", f":{PAGE_PORT}"),
    ]


def worker_command(name: str, memory: int, *first: str, more: t.Sequence[str] = ()) -> list[str]:
    """Return the command of a worker; ``first`` is about its processes, ``more`` about its addresses."""
    return [
        *("-m", "distributed.cli.dask_worker", "--name", name, *(first or ("--nworkers", "1"))),
        *("--nthreads", str(THREADS), "--memory-limit", str(memory), *more),
        *("--local-directory", SPILL, "--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
        f"tls://{HOST}:{PORT}",
    ]


def remote_worker(lab: str, number: int, memory: int, machine: str, address: str) -> dict[str, t.Any]:
    """Return name, command and ports of a worker on a machine of its own, which others reach at its address.

    It has no nanny, whose own port nobody could reach: the engine starts its container again.
    """
    port = FIRST_PORT + number - 1
    addresses = ("--listen-address", f"tls://0.0.0.0:{port}", "--contact-address", f"tls://{address}:{port}")
    return {
        "name": f"desi-lab-{lab}-worker-{number}",
        "hostname": f"worker-{number}",
        "ports": [f"{address}:{port}:{port}"],
        "command": worker_command(f"{machine}-{number}", memory, "--no-nanny", more=addresses),
    }


def environment_of(server: Tree) -> dict[str, str]:
    """Return the environment that a container was made with."""
    return dict(each.split("=", 1) for each in server["Config"].get("Env") or [] if "=" in each)


def is_embedded(server: Tree) -> bool:
    """Return whether a container has the entry point of the embedded image."""
    return OUR_ENTRYPOINT in (server["Config"].get("Entrypoint") or [])


def user_of(server: Tree) -> list[int]:
    """Return UID and GID of a lab's notebooks, as its container was made: what runs in it is not asked.

    Images that start as root become the user whom role jupyter names in NB_UID and NB_GID.
    """
    own = environment_of(server)
    uid, _colon, gid = str(server["Config"].get("User") or "").partition(":")
    if not uid.isdecimal():
        uid, gid = own.get("NB_UID", ""), own.get("NB_GID", "")
    uid = uid if uid.isdecimal() else "0"
    return [int(uid), int(gid if gid.isdecimal() else uid)]


def dask_container(
    server: Tree, notebooks: Inside, command: t.Sequence[str], writable: bool = False, source: str = ""
) -> dict[str, t.Any]:
    """Return a container beside a lab's server as arguments of community.docker.docker_container.

    It is the server's in all but its command: image, user, data, folder and environment. ``server`` is what the
    engine says of the server's container, ``notebooks`` what it says itself. ``source`` is the directory that has
    Dask's configuration; empty for the lab's volume.
    """
    config, host = server["Config"], server["HostConfig"]
    ours = is_embedded(server)
    return {
        "image": server["Image"],
        "user": config.get("User") or ":".join(map(str, user_of(server))),
        "groups": host.get("GroupAdd") or [],
        "init": bool(host.get("Init")),
        "volumes": [
            *(host.get("Binds") or []),
            f"{source or server['Name'].lstrip('/') + '-dask'}:{CONFIG}{'' if writable else ':ro'}",
        ],
        "env": worker_environment(environment_of(server), {} if ours else notebooks.environment),
        # Whatever another image starts by itself, it is not a worker.
        "entrypoint": [] if ours else ["python3"],
        "command": ["python3", *command] if ours else list(command),
    }


def new_identity(lab: str) -> tuple[str, str]:
    """Return a private key with its certificate, as PEM, and the SHA-256 of the certificate.

    Scheduler, workers and notebooks of a lab show the same one to each other, and trust no other.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"desi-lab-{lab}")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password)
    return (secret + certificate.public_bytes(pem)).decode(), certificate.fingerprint(hashes.SHA256()).hex()


def dask_config(link: bool, spill: int) -> str:
    """Return Dask's configuration for all who take part, as YAML, which JSON is.

    ``link`` tells whether the server leads to the dashboard, ``spill`` is the most that a worker writes to its disk, in
    bytes; 0 leaves it out, where none is on this computer. https://docs.dask.org/en/stable/configuration.html
    """
    identity = {"cert": f"{CONFIG}/desi-lab.pem"}
    distributed: dict[str, t.Any] = {
        "comm": {
            "default-scheme": "tls",
            "require-encryption": True,
            "tls": {"ca-file": f"{CONFIG}/desi-lab.pem", **dict.fromkeys(("client", "scheduler", "worker"), identity)},
        },
        **({"worker": {"memory": {"max-spill": spill}}} if spill else {}),
        "scheduler": {"http": {"routes": list(ROUTES)}},
    }
    if link:
        distributed["dashboard"] = {"link": f"/proxy/{HOST}:{PAGE_PORT}/status"}
    return json.dumps({"scheduler-address": f"tls://{HOST}:{PORT}", "distributed": distributed}, indent=2) + "\n"
