# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever credentials raise is told with its why and its remedy, and with the program, the file or the device."""

import inspect
import os
import subprocess
from pathlib import Path

import pytest
from botocore import exceptions as boto
from botocore import loaders

from ansible_collections.desi.lab.plugins.module_utils._aws import credentials
from ansible_collections.desi.lab.plugins.module_utils._aws.credentials import Source, as_the_aws_cli, source_in
from ansible_collections.desi.lab.plugins.module_utils._aws.errors import aws_error
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.polling import wait_until

ROLE = "role_arn = arn:aws:iam::123456789012:role/lab\n"
GOOD = '{"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret"}'
SSO = """sso_session = s
sso_account_id = 123456789012
sso_role_name = r
[sso-session s]
sso_start_url = https://x
sso_region = us-west-2
"""
BASE = f"""[profile work]
{ROLE}source_profile = base
[profile base]
"""
STORED = "aws_access_key_id = a\naws_secret_access_key = b\n"
PROCESS = "[profile work]\ncredential_process = "


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A home without credentials, and a program of it, which prints what a test says."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    (tmp_path / ".aws").mkdir()
    return tmp_path


def configure(home, text, script=""):
    program = home / "helper"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (home / ".aws/config").write_text(text.replace("HELPER", str(program)).replace("HOME", str(home)))
    return program


def why(seconds=20.0, **given):
    with pytest.raises(LabError) as caught:
        credentials.session_of(None, own_keys=False, region="us-west-2", seconds=seconds, **given)
    assert caught.value.what == "It was not possible to log in to AWS."
    assert caught.value.do.strip()
    return caught.value


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo null", "prints something else than credentials"),
        (f"echo 'update available'; echo '{GOOD}'", "prints something else than credentials"),
        ("printf '\\377'", "prints something else than credentials"),
        ('echo \'{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": "soon"}\'', "something else"),
        ("echo '{\"Version\": 2}'", "Unsupported version"),
        ("echo 'No session of AKIAIOSFODNN7EXAMPLE. More.' >&2; exit 1", "failed: No session of <hidden>."),
        ("exit 1", "failed."),
        ("exec sleep 60", "has not answered within 0.5 seconds"),
    ],
)
def test_a_program_that_gives_no_credentials_is_named(home, script, words):
    program = configure(home, "[profile work]\ncredential_process = HELPER --password secret\n", script)
    found = why(0.5 if "sleep" in script else 20.0)
    assert f"The program {program}, which AWS profile work takes its credentials from," in found.why
    assert words in found.why
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("config", "words", "do"),
    [
        (f"{PROCESS}HOME/.aws\n", "cannot be run", "credential_process"),
        (f"{PROCESS}'HELPER\n", "prints something else", "credential_process"),
        (f"{BASE}credential_process = HOME/none\n", "HOME/none", "JSON"),
        (f"{BASE}{STORED}".replace("[profile base]", "mfa_serial = arn:mfa/ann\n[profile base]"),
         "MFA code from the device arn:mfa/ann", "export-credentials --profile work"),
        (f"{BASE}{STORED}", "does not reach 127.0.0.1", "network"),
        (f"[profile work]\n{ROLE}", "source_profile or credential_source is missing", "aws configure"),
        (f"[profile work]\n{ROLE}credential_source = Nowhere\n", "Nowhere", "~/.aws/config"),
        (f"[profile work]\n{ROLE}web_identity_token_file = HOME/token\n", "HOME/token with the web identity", "path"),
        (f"[profile work]\n{SSO}", "login at AWS has ended", "aws sso login"),
        ("[profile other]\n", "no AWS profile called work", "list-profiles"),
        ("[profile work\n", "cannot be read as AWS settings", "correct it"),
    ],
)  # fmt: skip
def test_settings_that_lead_to_no_credentials_say_which_and_what_to_do(home, config, words, do):
    configure(home, config, "true")
    found = why()
    assert words.replace("HOME", str(home)) in found.why
    assert do in found.do


def test_only_the_program_that_does_not_answer_is_ended(home):
    configure(home, f"{PROCESS}HELPER\n", f"echo $$ > {home}/pid; exec sleep 60")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as another:
        assert "has not answered" in why(0.5).why
        assert wait_until(lambda: not Path("/proc", (home / "pid").read_text().strip()).exists(), 10)
        assert another.poll() is None
        another.stdin.close()
    assert another.returncode == 0


@pytest.mark.parametrize(("file", "kind"), [("/x/config", "of AWS settings"), ("/t", "with the web identity token")])
def test_a_file_that_may_not_be_read_is_named(file, kind):
    error = PermissionError(13, "Permission denied", file)
    found = credentials.credential_error(error, Source(web_identity="/t"))
    assert found.why == f"The file {file} {kind} cannot be read: Permission denied."
    assert "its rights" in found.do


def test_credentials_that_there_are_and_none_at_all_are_no_error(home, monkeypatch):
    configure(home, "[profile work]\nregion = eu-west-1\ncredential_process = HELPER\n", f"echo '{GOOD}'")
    session = credentials.session_of(None, own_keys=False)
    assert session.get_credentials().access_key == "AKIAIOSFODNN7EXAMPLE"
    assert session.region_name == "eu-west-1"
    configure(home, "[profile work]\n")
    assert credentials.session_of(None, own_keys=False).get_credentials() is None
    # Keys of the environment do not need the program of the profile.
    configure(home, "[profile work]\nregion = eu-west-1\ncredential_process = HELPER\n", "exit 1")
    assert credentials.session_of(None, own_keys=True).region_name == "eu-west-1"


def test_a_chain_of_profiles_is_followed_once():
    profiles = {"a": {"source_profile": "b"}, "b": {"source_profile": "a", "credential_process": "'/x y/z' --key k"}}
    assert source_in(profiles, "a", {}) == Source("a", "/x y/z")
    assert source_in({}, "a", {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}) == Source("a", web_identity="/t")


KEYS = {"access_key": "A", "secret_key": "S", "session_token": None}
NONE = dict.fromkeys(KEYS)


@pytest.mark.parametrize(
    ("given", "environment", "changes"),
    [
        # botocore reads AWS_PROFILE itself, for the other settings.
        ({**KEYS, "profile": "w"}, {"AWS_PROFILE": "w", "AWS_ACCESS_KEY_ID": "A"}, {"profile": None}),
        ({**KEYS, "profile": "w"}, {"AWS_DEFAULT_PROFILE": "w", "AWS_ACCESS_KEY_ID": "A"}, {"profile": None}),
        # As --profile of the AWS CLI.
        ({**KEYS, "profile": "other"}, {"AWS_PROFILE": "w", "AWS_ACCESS_KEY_ID": "A"}, NONE),
        # What is given twice to the module itself is for amazon.aws to refuse.
        ({**KEYS, "profile": "other"}, {}, {}),
        ({**KEYS, "profile": None}, {"AWS_ACCESS_KEY_ID": "A"}, {}),
        ({"access_key": None, "session_token": "T", "profile": "w"}, {"AWS_PROFILE": "w"}, NONE),
        ({"access_key": "", "secret_key": "S", "profile": ""}, {}, NONE),
    ],
)
def test_a_profile_and_keys_count_as_they_do_for_the_aws_cli(given, environment, changes):
    assert as_the_aws_cli(given, environment) == changes


# What only calls of services raise, and what is wrong with a program that calls them.
NOT_OF_CREDENTIALS = {
    *("ApiVersionNotFoundError", "AwsChunkedWrapperError", "BaseEndpointResolverError", "BotoCoreError"),
    *("AliasConflictParameterError", "CapacityNotAvailableError", "ChecksumError", "DataNotFoundError"),
    *("FlexibleChecksumError", "IncompleteReadError", "InvalidDNSNameError", "InvalidExpressionError"),
    *("InvalidHostLabelError", "InvalidS3AddressingStyleError", "InvalidS3UsEast1RegionalEndpointConfigError"),
    *("MD5UnavailableError", "MissingParametersError", "OperationNotPageableError", "PaginationError"),
    *("ParamValidationError", "RangeError", "ServiceNotInRegionError", "StubAssertionError", "StubResponseError"),
    *("UnStubbedResponseError", "UnknownClientMethodError", "UnknownKeyError", "UnknownParameterError"),
    *("UnknownServiceError", "UnknownServiceStyle", "UnseekableStreamError", "UnsupportedOutpostResourceError"),
    *("UnsupportedS3AccesspointConfigurationError", "UnsupportedS3ArnError", "UnsupportedS3ConfigurationError"),
    *("UnsupportedS3ControlArnError", "UnsupportedS3ControlConfigurationError", "UnsupportedServiceProtocolsError"),
    *("ValidationError", "WaiterConfigError"),
}
EXCEPTIONS = {
    name: kind
    for name, kind in vars(boto).items()
    if inspect.isclass(kind) and issubclass(kind, boto.BotoCoreError) and name not in NOT_OF_CREDENTIALS
}


@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_each_exception_that_botocore_has_for_credentials_has_its_own_remedy(name):
    error = EXCEPTIONS[name].__new__(EXCEPTIONS[name])
    Exception.__init__(error, "Said by botocore.")
    error.kwargs = {"endpoint_url": "https://ec2.us-west-2.amazonaws.com", "profile": "work", "path": "/x"}
    found = aws_error(error, "log in to AWS", "us-west-2")
    assert found.why.endswith(".")
    assert "-v shows more" not in found.do


def test_descriptions_that_were_read_once_are_not_read_again_by_another_session(monkeypatch):
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-west-2"}
    credentials.descriptions.cache_clear()
    credentials.read_descriptions(None)
    read = []
    monkeypatch.setattr(loaders.JSONFileLoader, "load_file", lambda _self, path: read.append(path))
    for service, operation in (("ec2", "describe_instances"), ("sts", "")):
        client = credentials.session_of(None, own_keys=True).client(service, **keys)
        assert not operation or client.get_paginator(operation)
    # Additions are looked for each time, and there are none of these services.
    assert {Path(path).suffix for path in read} <= {".sdk-extras"}


def test_description_that_a_botocore_lacks_is_for_those_to_tell_who_need_it(monkeypatch, tmp_path):
    monkeypatch.setattr(loaders.Loader, "BUILTIN_DATA_PATH", str(tmp_path))
    credentials.descriptions.cache_clear()
    credentials.read_descriptions(None)
    credentials.descriptions.cache_clear()
