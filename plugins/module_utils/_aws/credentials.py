# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Get AWS credentials once, before anything is asked with them, and turn whatever that raises into LabErrors.

What botocore raises is the least of it: a profile may name a program that is missing, hangs or prints something else,
a file that may not be read, or a device whose code nobody can be asked for.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import signal
import threading
import typing as t
from pathlib import Path

from .._common.errors import LabError
from .._common.parallel import side_by_side
from .errors import aws_error, botocore_errors, message_of

SECONDS = 60.0
_DOING = "log in to AWS"
_WHAT = f"It was not possible to {_DOING}."
_ANOTHER = "use another profile: AWS_PROFILE=NAME in front of the same command"
_EXPORT = "put keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

Settings = t.Mapping[str, t.Any]


class Source(t.NamedTuple):
    """Where the AWS configuration says that the credentials come from; empty where it does not say."""

    profile: str = "default"
    program: str = ""
    device: str = ""
    web_identity: str = ""


def as_the_aws_cli(given: Settings, environment: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return the options of a module that change because it has a profile and keys, as the AWS CLI decides.

    Keys count before the profile that the environment names, whose other settings still count. A profile that was given
    to the module itself counts before keys of the environment.
    """
    no_keys = dict.fromkeys(("access_key", "secret_key", "session_token"))
    profile, key = given.get("profile"), given.get("access_key")
    if not key:
        return no_keys
    if profile and profile == (environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")):
        return {"profile": None}
    return no_keys if profile and key == environment.get("AWS_ACCESS_KEY_ID") else {}


@functools.cache
def descriptions(folders: str | None) -> t.Any:  # noqa: ANN401 - of botocore
    """Return botocore's reader of what it knows of AWS's services, which remembers what it has read.

    ``folders`` are others that it looks into, as AWS_DATA_PATH has them.
    """
    from botocore.loaders import create_loader

    return create_loader(folders)


def read_descriptions(folders: str | None) -> None:
    """Read those of the services that every verb on EC2 asks, megabytes of them, in time for processes to be forked."""
    known = descriptions(folders)
    # What is missing in a botocore of somebody's own is told by whoever needs it.
    with contextlib.suppress(*botocore_errors(), OSError, ValueError):
        for service in ("ec2", "sts"):
            for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
                known.load_service_model(service, kind)
        for name in ("endpoints", "partitions", "_retry", "sdk-default-configuration"):
            known.load_data(name)


def session_of(profile: str | None, own_keys: bool, region: str | None = None, seconds: float = SECONDS) -> t.Any:  # noqa: ANN401 - of boto3
    """Return a session that has its credentials, or none because there are none. With ``own_keys`` it needs none.

    ``region`` is where a role is asked for, if the profile has no region.
    """
    from boto3.session import Session

    sources = [Source(profile or os.environ.get("AWS_PROFILE") or "default")]
    threads: list[int] = []

    def get() -> t.Any:  # noqa: ANN401 - of boto3
        threads.append(threading.get_native_id())
        try:
            session = Session(profile_name=profile, region_name=region)
            known = descriptions(session._session.get_config_variable("data_path"))
            session._session.register_component("data_loader", known)
            sources.append(source_in(session._session.full_config["profiles"], session.profile_name, os.environ))
            if not own_keys:
                # It would wait at a terminal that modules do not have.
                session._session.get_component("credential_provider").get_provider("assume-role")._prompter = _ask
                credentials = session.get_credentials()
                # Those of a role or a login are fetched only now.
                if credentials is not None:
                    credentials.get_frozen_credentials()
        except Exception as error:
            raise credential_error(error, sources[-1]) from error
        return session

    results, errors = side_by_side({"session": get}, seconds)
    for error in errors.values():
        raise error
    if not results:
        _end_children(*threads)
        raise _too_late(sources[-1], seconds)
    return results["session"]


def source_in(profiles: t.Mapping[str, Settings], name: str, environment: t.Mapping[str, str]) -> Source:
    """Return where the credentials of a profile come from, which may be through the profiles that it names."""
    chain: list[Settings] = []
    following: str | None = name
    while following in profiles and profiles[following] not in chain:
        chain.append(profiles[following])
        following = chain[-1].get("source_profile")

    def first(key: str) -> str:
        return next((str(settings[key]) for settings in chain if settings.get(key)), "")

    web_identity = first("web_identity_token_file") or environment.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    return Source(name, program_of(first("credential_process")), first("mfa_serial"), web_identity)


def program_of(command: str) -> str:
    """Return the program of a command, without its arguments, which may hold secrets."""
    try:
        return next(iter(shlex.split(command)), "")
    except ValueError:
        return command.split()[0]


def credential_error(error: BaseException, source: Source) -> LabError:
    """Return why there are no credentials, as a failure for people."""
    if isinstance(error, EOFError):
        return _device(source)
    named = str(getattr(error, "filename", None) or "")
    if isinstance(error, OSError) and source.program and named == source.program:
        why = "is not on this computer" if isinstance(error, FileNotFoundError) else f"cannot be run: {error.strerror}"
        return _program(source, why)
    if isinstance(error, OSError) and named:
        kind = "with the web identity token" if named == source.web_identity else "of AWS settings"
        return LabError(
            _WHAT,
            f"The file {named} {kind} cannot be read: {error.strerror}.",
            f"correct its path or its rights, or {_ANOTHER}",
        )
    if isinstance(error, botocore_errors()):
        facts = getattr(error, "kwargs", {})
        if source.program and facts.get("provider") == "custom-process":
            said = message_of(Exception(str(facts.get("error_msg") or "").strip()))
            return _program(source, f"failed{f': {said}' if said else ''}")
        return aws_error(error, _DOING)
    # Whatever parses what a program or a file says.
    if source.program:
        return _program(source, "prints something else than credentials")
    said = message_of(error) or type(error).__name__
    return LabError(
        _WHAT,
        f"The settings of AWS profile {source.profile} lead to no credentials: {said.rstrip('.')}.",
        f"see that 'aws sts get-caller-identity' works, or {_ANOTHER}",
    )


def _program(source: Source, why: str) -> LabError:
    return LabError(
        _WHAT,
        f"The program {source.program}, which AWS profile {source.profile} takes its credentials from, "
        f"{why.rstrip('.')}.",
        f"see that credential_process of the profile is right and prints JSON and nothing else, or {_EXPORT}",
    )


def _device(source: Source) -> LabError:
    device = source.device or "that it names"
    export = f"aws configure export-credentials --profile {shlex.quote(source.profile)} --format env"
    return LabError(
        _WHAT,
        f"AWS profile {source.profile} needs an MFA code from the device {device}, and DESI Lab cannot prompt for one.",
        f'log in first: eval "$({export})" asks for the code, then run the same command again',
    )


def _too_late(source: Source, seconds: float) -> LabError:
    if source.program:
        return _program(source, f"has not answered within {seconds:g} seconds")
    return LabError(
        _WHAT,
        f"What gives the credentials of AWS profile {source.profile} has not answered within {seconds:g} seconds.",
        "see that 'aws sts get-caller-identity' works, then run the same command again",
    )


def _ask(_prompt: str) -> str:
    raise EOFError


def _end_children(*threads: int) -> None:
    """End the program that did not answer, a child of this thread; where there is no /proc it ends by itself."""
    for thread in threads:
        with contextlib.suppress(OSError, ValueError):
            for number in Path(f"/proc/self/task/{thread}/children").read_text().split():
                os.kill(int(number), signal.SIGTERM)
