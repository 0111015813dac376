# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Git sources of an image: accepted URLs, and a safe fetch."""

from __future__ import annotations

import re
import subprocess
import typing as t
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..module_utils._common.errors import LabError
from ..module_utils._common.files import parts_below
from ..module_utils._common.redact import redact

# The guide's forms of a Git URL: https://docs.docker.com/build/concepts/context/#git-repositories
# Refused forms match, too, so that the error can say why.
GIT_URL = re.compile(
    r"(?:https?://\S+?\.git|github\.com/\S+|git@\S+|(?:git|ssh|git\+\w+|ftps?|file|rsync)://\S+|[a-z][a-z0-9+.-]*::\S+)"
    r"(?:#\S*)?",
    re.IGNORECASE,
)
_SAFE = re.compile(r"[A-Za-z0-9._~%+/:@=,&?\[\]-]+", re.ASCII)
_SHORT = re.compile(r"git@[A-Za-z0-9][A-Za-z0-9.-]*:[^-/:][^:]*", re.ASCII)
# https://git-scm.com/docs/git-check-ref-format, and the hash of a commit.
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@-]*", re.ASCII)

# The only protocols, whatever repositories, submodules and settings say.
PROTOCOLS = ("https", "ssh")
SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "true",
    "core.fsmonitor": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "protocol.allow": "never",
    **{f"protocol.{name}.allow": "always" for name in PROTOCOLS},
}


class GitSource(t.NamedTuple):
    """A repository, its revision, and the directory with the Dockerfile."""

    url: str
    version: str
    folder: str


def git_source(name: str) -> GitSource:
    """Parse ``URL#version:folder``; raise LabError for what is refused, without repeating a password."""
    url, _hash, rest = name.partition("#")
    version, _colon, folder = rest.partition(":")
    url = f"https://{url}" if url.lower().startswith("github.com/") else url
    _check_url(url)
    if version and (not _VERSION.fullmatch(version) or ".." in version or "@{" in version):
        why = f'"{version}" is not the name of a branch or a tag, nor a commit.'
        raise _refused(why, "Give it as URL#BRANCH, for example https://github.com/me/lab.git#main.")
    folder = folder.removesuffix("/") if not folder.startswith("/") else folder
    if folder:
        try:
            parts_below(folder)
        except ValueError:
            why = f'"{folder}" is not a directory below that of the repository.'
            raise _refused(
                why, "Give it as URL#BRANCH:DIRECTORY, with neither '..' nor '/' at its beginning."
            ) from None
    return GitSource(url, version or "HEAD", folder)


def _check_url(url: str) -> None:
    if url.lower().startswith("git@") and "://" not in url:
        if not _SHORT.fullmatch(url) or not _SAFE.fullmatch(url):
            raise _refused("It is not like git@server:path/of/repository.git.", "Check the name of the repository.")
        return
    scheme, separator, _rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in PROTOCOLS:
        # The name of a helper (ext::sh -c ...) is not repeated.
        spoken = (
            f"It would come by {scheme}" if separator and scheme.isalpha() else "It would come by a program of Git's"
        )
        why = f"{spoken}, where anybody on the way could change it or have this computer run something."
        raise _refused(why, "Give its https or ssh URL, for example https://github.com/me/lab.git.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused("Its server or port cannot be read.", "Give it as https://server/path.git.") from None
    if parts.password or (parts.username and scheme != "ssh"):
        raise _refused(
            "It holds a user name or a password, and everybody who can list processes would see them.",
            "Give the URL without them: Git asks the credential helper that you have set up (git help credentials).",
        )
    if not host or host.startswith("-") or (parts.username or "").startswith("-") or not _SAFE.fullmatch(url):
        raise _refused("Its server or path has signs that are in no URL.", "Check the name of the repository.")


def _refused(why: str, do: str) -> LabError:
    return LabError("The Git URL of the image is refused.", why, do)


def environment_of(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for git: the user's settings and credential helpers apply, except for SETTINGS.

    What would let another repository, program or protocol in is left out.
    """
    unwanted = re.compile(
        r"GIT_(?!SSL_CAINFO$|SSL_CAPATH$|SSH_COMMAND$|SSH$|ASKPASS$|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)$)"
    )
    known = {name: value for name, value in inherited.items() if not unwanted.match(name)}
    known |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS), "LC_ALL": "C"}
    known |= {f"GIT_CONFIG_KEY_{number}": name for number, name in enumerate(SETTINGS)}
    known |= {f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(SETTINGS.values())}
    known["GIT_CONFIG_COUNT"] = str(len(SETTINGS))
    return known


def fetch(source: GitSource, folder: str, inherited: Mapping[str, str], patience: float = 600) -> str:
    """Fetch one commit into an empty directory, without submodules; return its hash."""
    environment = environment_of(inherited)

    def git(*words: str) -> str:
        try:
            done = subprocess.run(
                ["git", "-C", folder, *words],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=environment,
                timeout=patience,
                # Without a terminal, ssh refuses unknown servers instead of prompting.
                start_new_session=True,
            )
        except FileNotFoundError:
            why, do = (
                "The command git was not found on this computer.",
                "Install it, for example: sudo apt-get install git",
            )
            raise LabError(_WHAT, why, do) from None
        except subprocess.TimeoutExpired:
            raise LabError(_WHAT, f"{source.url} did not answer within {patience:g} seconds.", _DO) from None
        if done.returncode:
            raise LabError(_WHAT, f"The sources could not be cloned from {source.url}: {_reason(done.stderr)}", _DO)
        return done.stdout.strip()

    git("init", "--quiet", "--template=")
    words = ("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules")
    git(*words, "--", source.url, source.version)
    git("checkout", "--quiet", "--detach", "FETCH_HEAD")
    return git("rev-parse", "HEAD")


_WHAT = "The image could not be built from its Git URL."
_DO = "Check the URL, the branch and the network."


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(?:remote: )?(?:fatal|error):|Host key|ssh:", line)] or lines
    return redact(telling[0].rstrip("."))[:300] + "." if telling else "git gave no reason."
