# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image sources, image facts, and reasons for failed pulls and builds."""

from __future__ import annotations

import ast
import hashlib
import re
import typing as t
from pathlib import Path

from ..module_utils._common.errors import LabError
from ..module_utils._common.humanize import decimal_size
from ..module_utils._common.redact import end_redacted
from ..module_utils._common.text import shell_path
from ._build_context import context_hash
from ._git_source import GIT_URL, git_source

# https://github.com/distribution/reference/blob/main/reference.go
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@[a-z0-9]+:[0-9a-f]{{32,}})?", re.ASCII
)

# Messages of registries and the engine, and their meanings. The first match counts.
PULL_REASONS = (
    (r"no space left", "The disk is full."),
    (r"proxyconnect|proxy authentication",
     "The registry {registry} cannot be reached: the proxy that the engine uses does not answer, or refuses."),
    (r"no such host|name or service not known|name resolution|lookup \S+(?: on \S+)?: ",
     "The registry {registry} cannot be reached from this computer: its name is not resolved."),
    (r"connection refused", "The registry {registry} cannot be reached: nothing listens there."),
    (r"timeout|timed out|deadline exceeded|awaiting headers|did not properly respond",
     "The registry {registry} did not answer in time."),
    (r"no route to host|network is unreachable", "There is no way through the network to the registry {registry}."),
    (r"x509|certificate", "The registry {registry} shows a certificate that this computer does not trust."),
    (r"server gave http response",
     "The registry {registry} speaks plain HTTP, which the engine was not told to accept."),
    (r"no matching manifest|no match for platform|does not provide the specified platform",
     "The image was not made for this computer's processor."),
    (r"toomanyrequests|too many requests|rate limit", "The registry {registry} takes no more requests for now."),
    (r"no basic auth|unauthorized|authentication required|denied|forbidden",
     "The registry {registry} refuses: the image is private, or there is none of that name."),
    (r"manifest unknown|manifest for .*not found|name unknown|repository .*not found|: not found|404 not found",
     "The registry {registry} has no image of that name and tag."),
    (r"\beof\b|connection reset|broken pipe", "The connection to the registry {registry} broke off."),
    (r"status\D*5\d\d\b|service unavailable|bad gateway",
     "The registry {registry} has trouble of its own for now."),
    (r"invalid reference|repository name|by id", "That is not the name of an image in a registry."),
)  # fmt: skip
DEFAULT_REGISTRY = "docker.io"

# Variables with the data path of an image; see README.md of role image.
DATA_VARIABLES = ("DESI_DATA", "DESI_BUCKET")
DATA_PATH = "/home/desibucket"


def registry_of(reference: str) -> str:
    """Return the registry of an image reference, as Docker reads it."""
    first, slash, _rest = reference.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else DEFAULT_REGISTRY


def image_source(name: str, table: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the source of the image ``name``; raise LabError if there is none.

    ``kind`` is ``embedded``, ``git``, ``folder`` or ``pull``; ``reference`` is what the image is called on the engine.
    For ``git`` there are also ``url``, ``version`` and ``folder``, as in ``URL#version:folder``.
    """
    entry = dict(table.get(name, {}))
    if "kind" in entry:
        return entry
    if name.startswith("/"):
        return {"kind": "folder", "path": name, "reference": _built_name(name)}
    if GIT_URL.fullmatch(name):
        return {"kind": "git", "reference": _built_name(name), **git_source(name)._asdict()}
    reference = entry.pop("reference", name)
    if not REFERENCE.fullmatch(reference):
        raise _no_reference(reference)
    return {"kind": "pull", "reference": _with_tag(reference), **entry}


def _no_reference(name: str) -> LabError:
    if re.match(r"[^/]*://.*@|[^/]*@", name):
        # The value is not repeated: it may hold a secret.
        return LabError(
            "The setting lab_image cannot work.",
            "It holds a user name or a password, and everybody who can list processes would see them.",
            "Give the image or URL alone: docker login, or the credential helper of Git, knows who you are.",
        )
    scheme, separator, rest = name.partition("://")
    if separator and scheme in ("http", "https"):
        why = "It is a URL, but not that of a Git repository, which ends with .git."
        do = f"To build from a repository, give {name.rstrip('/')}.git; to pull, give a name without {scheme}://."
    elif separator:
        why, do = f"An image is named without {scheme}://.", f"Give it as {rest}."
    elif name.startswith((".", "~")):
        why = "It looks like a folder, but is not an absolute path."
        do = f'Give the whole path, for example "$(realpath {shell_path(name)})".'
    elif REFERENCE.fullmatch(name.lower()):
        why, do = "The name of an image has no capital letters.", "Write it in lower case; only a tag may have them."
    else:
        why = "An image is named like ghcr.io/desihub/desidocker:main, with no spaces and few signs."
        do = "Choose one of the names in README.md, such as embedded, or check the name of the image."
    return LabError(f'There can be no image called "{name}".', why, do)


def _with_tag(reference: str) -> str:
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def _built_name(source: str) -> str:
    """Return a readable name for what is built from ``source``, different for every source."""
    stem = re.sub(r"[^a-z0-9]+", "-", Path(source.partition("#")[0]).stem.lower()).strip("-") or "image"
    return f"desi-lab-built-{stem}:{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def pull_reason(message: str, reference: str) -> str:
    """Return why a pull failed, as a sentence, from the engine's message."""
    said = _answer(message).strip()
    # Words in the image name must not match.
    bare = re.sub(r'"?https?://\S+', "", said)
    for name in (reference, re.sub(r"(?::[^/:]*)?(?:@.*)?$", "", reference)):
        bare = bare.replace(name, "") if "/" in name else bare
    for pattern, sentence in PULL_REASONS:
        if re.search(pattern, bare, re.IGNORECASE):
            return sentence.format(registry=registry_of(reference))
    return f"The engine answered: {end_redacted(said.splitlines()[-1], 300)}" if said else "No reason was given."


def _answer(message: str) -> str:
    """Return the engine's own words inside a message of community.docker."""
    quoted = re.search(r'\("(.*)"\)\s*$', message, re.DOTALL)
    matched = re.search(r"^Error pulling \S+ - (?:code: \S+ message: )?(.*)", message, re.DOTALL)
    return quoted[1] if quoted else matched[1] if matched else message


# Messages of the builders, old and new, and their meanings. The first match counts.
BUILD_REASONS = (
    (r"no space left on device", "The disk is full."),
    (r"407\s+Proxy Authentication Required|Tunnel connection failed: 407",
     "This computer's proxy does not take the user and password of HTTPS_PROXY (407)."),
    (r"cannot connect to proxy|proxyconnect|invalid response from proxy|CONNECT tunnel failed|Tunnel connection failed"
     r"|(?:could not|failed to) connect to (?:127\.|localhost|\[::1\])",
     "This computer's proxy does not answer the build, or refuses. One at 127.0.0.1 is not reached from a build."),
    (r"the --(\w+) option requires BuildKit|parse error[^\n]*: Unknown flag: (\w+)",
     r"Its Dockerfile has --\1\2, which the old builder does not know, and docker buildx is not installed."),
    (r"dockerfile parse error(?: on)? line (\d+): ([^\n]{0,150})", r"Its Dockerfile has an error in line \1: \2."),
    (r"dockerfile parse error:? ([^\n]{0,150})", r"Its Dockerfile has an error: \1."),
    (r"(?:COPY|ADD) failed:[^\n]*?\bstat (?:/var/lib/docker/tmp/[^/\s]+/)?([^\s:]+): (?:file does not|no such file)",
     r"Its Dockerfile copies \1, which is not in the folder, or is named in .dockerignore."),
    (r'failed to (?:compute cache key|calculate checksum)[^\n]*?"/?([^"\n]+)": not found',
     r"Its Dockerfile copies \1, which is not in the folder, or is named in .dockerignore."),
    (r"Dockerfile \([^)]*\) cannot be empty|the Dockerfile cannot be empty|file with no instructions",
     "Its Dockerfile is empty."),
    (r"no build stage in current context", "Its Dockerfile has no FROM before its first step."),
)  # fmt: skip
# Output of the builder itself.
_BUILD_NOISE = re.compile(r"Step \d+/\d+ : |---> |Removing intermediate container ")
_BUILD_ERROR = re.compile(r"\berror\b|\bfailed\b|\bfatal\b|^E: ", re.IGNORECASE)
_LAST_LINES = 40
_COLORS = re.compile(r"\x1b\[[0-9;]*m")


def build_reason(message: str) -> str:
    """Return why a build failed: the builder's error, or the end of the last step's output."""
    matched = re.search(r"^Error building \S+ - code: \S+, message: (.*), logs: (\[.*\])\s*$", message, re.DOTALL)
    lines = _literal_lines(matched[2]) if matched else message.splitlines()
    lines = [_COLORS.sub("", line).strip() for line in lines]
    said = "\n".join([*lines[-_LAST_LINES:], matched[1] if matched else ""])
    for pattern, sentence in BUILD_REASONS:
        found = re.search(pattern, said, re.IGNORECASE)
        if found:
            return re.sub(r"\.{2,}$", ".", found.expand(sentence))
    base = _missing_base(said)
    if base:
        return f"It stands on the image {base}. {pull_reason(said, base)}"
    if matched and "returned a non-zero code" not in matched[1]:
        return f"The build ended with: {end_redacted(matched[1], 500)}"
    last_step = max((number for number, line in enumerate(lines) if line.startswith("Step ")), default=-1)
    printed = [line for line in lines[last_step + 1 :] if line and not _BUILD_NOISE.match(line)]
    telling = [line for line in printed if _BUILD_ERROR.search(line)] or printed
    if telling:
        return f"The build ended with: {end_redacted(' / '.join(telling[-3:]), 500)}"
    return f"The build ended with: {end_redacted(matched[1], 500)}" if matched else "The build said nothing."


def _missing_base(said: str) -> str:
    """Return the image that a build stands on if that could not be pulled, else nothing."""
    steps = re.findall(r"^Step \d+/\d+ : (.*)$", said, re.MULTILINE)
    found = re.match(r"FROM (?:--\S+ )?(\S+)", steps[-1], re.IGNORECASE) if steps else None
    # As BuildKit says it.
    found = found or re.search(r"failed to resolve source metadata for (\S+?): ", said)
    return found[1] if found else ""


def _literal_lines(text: str) -> list[str]:
    try:
        return [str(line) for line in ast.literal_eval(text)]
    except (ValueError, SyntaxError):
        return [text]


def image_called(images: t.Iterable[t.Mapping[str, t.Any]], name: str) -> dict[str, t.Any]:
    """Return the image of that name (with tag or digest, or its id), or an empty dictionary."""
    for image in images:
        if name in (image.get("Id"), *(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])):
            return dict(image)
    return {}


# The names that roles image and sample give, and the tag of an image that a lab goes back to.
BUILT_HERE = re.compile(
    r"desi-lab(-base|-sample)?:\d+[.]\d+[.]\d+(-coadds\d+)?|desi-lab-rootfs:bookworm"
    r"|desi-lab-built-[a-z0-9-]+:[0-9a-f]{8}|desi-lab-replaced:[0-9a-f]{12}"
)
REPLACED_TAG = "desi-lab-replaced:"
KEPT_TAG = "desi-lab-previous:"


def built_images(images: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the ``names`` of the images that were built here, and the ``size`` that goes with them (``size_text``).

    ``replaced`` are the names of those that have no other name than that of a replaced image. An image with a name that
    somebody gave it stays, and so does one without any, which may have been made of one of them. What images share is
    counted once, and not at all where an image that stays begins with the same layers.
    """
    tags = {each["Id"]: each.get("RepoTags") or [] for each in images if "desi.lab.image" in _labels(each)}
    names = [name for each in tags.values() for name in each if BUILT_HERE.fullmatch(name)]
    replaced = [name for each in tags.values() if all(name.startswith(REPLACED_TAG) for name in each) for name in each]
    going = {
        number
        for number, each in tags.items()
        if each and all(name in names or name.startswith(KEPT_TAG) for name in each)
    }
    layers = {each["Id"]: (_layers(each), int(each.get("Size") or 0)) for each in images}
    # One for each row of layers: of those with the same, one that stays.
    rows = {
        row: (number, size) for number, (row, size) in sorted(layers.items(), key=lambda item: item[0] not in going)
    }
    size = 0
    for row, (number, own) in rows.items():
        if number in going:
            below = [rows[row[:length]][1] for length in range(len(row)) if row[:length] in rows and length]
            size += max(0, own - max(below, default=0))
    return {"names": names, "replaced": replaced, "size": size, "size_text": decimal_size(size) if size else ""}


def _labels(image: t.Mapping[str, t.Any]) -> t.Mapping[str, str]:
    return image.get("Labels") or (image.get("Config") or {}).get("Labels") or {}


def _layers(image: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    return tuple((image.get("RootFS") or {}).get("Layers") or [image["Id"]])


def image_facts(image: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the facts of an image, from ``docker image inspect``.

    ``data_path`` is where it wants data, ``port`` where it listens (0 if it does not say), ``embedded`` whether it is
    this collection's own lab, ``context`` what it was built from, if it was built by this collection, ``starts``
    whether it names a program to run.
    """
    config = image.get("Config") or {}
    environment = dict(item.partition("=")[::2] for item in config.get("Env") or [])
    labels = config.get("Labels") or {}
    ports = sorted(int(port.partition("/")[0]) for port in config.get("ExposedPorts") or {})
    paths = [environment[name] for name in DATA_VARIABLES if environment.get(name)]
    return {
        "id": image.get("Id", ""),
        "architecture": image.get("Architecture", ""),
        "data_path": paths[0] if paths else DATA_PATH,
        "port": ports[0] if ports else 0,
        "embedded": "desi.lab.context" in labels and labels.get("desi.lab.image") == "embedded",
        "context": labels.get("desi.lab.context", ""),
        "version": labels.get("org.opencontainers.image.version", ""),
        "digests": sorted(image.get("RepoDigests") or []),
        "starts": bool(config.get("Cmd") or config.get("Entrypoint")),
    }


def image_builds(
    images: t.Sequence[t.Mapping[str, t.Any]],
    desired: t.Sequence[t.Mapping[str, t.Any]],
    again: bool = False,
    missing: bool = False,
) -> list[dict[str, t.Any]]:
    """Return the builds of images that are missing or out of date, as options of module image_build.

    An image that is desired has a ``name``, a ``context``, a ``kind``, and may have ``args``, the ``base`` that it is
    built on, and the hash of a ``host_file``. ``again`` builds all, ``missing`` only those that nobody has.
    """
    builds = []
    for each in desired:
        there, base = image_called(images, each["name"]), each.get("base") or ""
        stands_on, args = image_facts(image_called(images, base)), each.get("args") or {}
        inputs = {"args": args, "base": stands_on["id"], "host_file": each.get("host_file") or ""}
        context = context_hash(each["context"], inputs)
        if there and (missing or (not again and image_facts(there)["context"] == context)):
            continue
        labels = {
            "desi.lab.context": context,
            "desi.lab.image": each["kind"],
            "desi.lab.base": next(iter(stands_on["digests"]), stands_on["id"]),
        }
        given = {**args, "BASE": base} if base else args
        builds.append({"name": each["name"], "path": each["context"], "args": given, "labels": labels})
    return builds
