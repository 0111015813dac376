# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import socket
from functools import partial

import pytest
from botocore import exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.session import Session
from test__aws_errors import FORBIDDEN, FORBIDDEN_BY_ORGANIZATION, TOO_FEW_VCPUS, WHO_ARE_YOU, told

# Codes and messages below are those that AWS sends.


# What AWS answers

NO_CAPACITY = "We do not have sufficient t2.micro capacity in the Availability Zone you requested (us-west-2a)."
SIGNED_WRONGLY = "The request signature we calculated does not match the signature you provided."
FREE_PLAN = "The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, run ..."


NOT_AUTHORIZED = "User: arn:aws:iam::1:user/a is not authorized to perform: sts:GetFederationToken"


@pytest.mark.parametrize(
    ("code", "message", "why", "do"),
    [
        ("UnauthorizedOperation", FORBIDDEN_BY_ORGANIZATION, "ec2:RunInstances: your organization", "iam-policy.json"),
        ("UnauthorizedOperation", FORBIDDEN, "ec2:DescribeSubnets: no policy of yours", "allow ec2:DescribeSubnets"),
        ("UnauthorizedOperation", "You may not.", "not include ec2:RunInstances.", "allow ec2:RunInstances"),
        ("AccessDenied", NOT_AUTHORIZED, "sts:GetFederationToken", "allow sts:"),
        ("AccessDeniedException", "", "not include RunInstances.", "allow RunInstances"),
        ("ExpiredToken", "The security token included in the request is expired", "have expired", "aws sso login"),
        ("ExpiredTokenException", "", "have expired", "aws sso login"),
        ("InvalidClientTokenId", "The security token is invalid.", "does not know these credentials", "aws configure"),
        ("UnrecognizedClientException", "", "does not know these credentials", "aws configure"),
        ("AuthFailure", WHO_ARE_YOU, "does not know these credentials", "aws configure"),
        ("SignatureDoesNotMatch", SIGNED_WRONGLY, "secret key does not belong", "copy the secret key"),
        ("InvalidSignatureException", SIGNED_WRONGLY, "does not know these credentials", "aws configure"),
        ("MissingAuthenticationToken", "Missing Authentication Token", "without credentials", "aws configure"),
        ("RequestLimitExceeded", "Request limit exceeded.", "too many requests", "wait a minute"),
        ("ThrottlingException", "Rate exceeded", "too many requests", "wait a minute"),
        ("VcpuLimitExceeded", TOO_FEW_VCPUS, "in us-west-2 to 0 vCPUs", "L-1216C47A --desired-value 8 --region us-w"),
        ("VcpuLimitExceeded", TOO_FEW_VCPUS.replace(" 0 ", " 32 "), "to 32 vCPUs", "--desired-value 40 --region us-w"),
        ("VcpuLimitExceeded", "", "fewer vCPUs than are needed", "lab_instance_type"),
        ("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded", "spot", "Service Quotas"),
        ("InsufficientInstanceCapacity", NO_CAPACITY, "no t2.micro to give in us-west-2a", "lab_instance_type"),
        ("InsufficientInstanceCapacity", "", "no such machine to give in us-west-2", "lab_instance_type"),
        ("OptInRequired", "You are not subscribed to this service.", "not enabled us-west-2", "Account"),
        ("PendingVerification", "Your request is being validated", "verifying your account", "wait"),
        ("Blocked", "This account is currently blocked", "blocked your account", "AWS Support"),
        ("InvalidParameterCombination", FREE_PLAN, "free plan", "InstanceType' --region us-w"),
        ("VPCIdNotSpecified", "No default VPC for this user", "no default VPC", "create-default-vpc --region us-w"),
        ("VolumeLimitExceeded", "", "quota of your account for disks", "Service Quotas"),
        ("InsufficientFreeAddressesInSubnet", "", "no free address", "lab_subnet"),
        ("DependencyViolation", "resource sg-1 has a dependent object", "still uses it", "Network interfaces"),
        ("OperationNotPermitted", "Modify its 'disableApiTermination' attribute", "protected", "console"),
        ("InternalError", "An internal error has occurred", "AWS itself has trouble", "wait a minute"),
        ("503", "Service Unavailable", "AWS itself has trouble", "wait a minute"),
    ],
)
def test_what_aws_answers_is_told(code, message, why, do):
    found = told(boto.ClientError({"Error": {"Code": code, "Message": message}}, "RunInstances"))
    assert why in found.why
    assert do in found.do


def test_refusal_without_an_operation_is_told_all_the_same():
    found = told(boto.ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, ""))
    assert "not include this." in found.why
    assert "allow it" in found.do


# The connection to AWS

EC2 = "https://ec2.us-west-2.amazonaws.com"


@pytest.mark.parametrize(
    ("kind", "facts", "why", "do"),
    [
        ("NoCredentialsError", {}, "No AWS credentials", "aws configure"),
        ("PartialCredentialsError", {"provider": "env", "cred_var": "AWS_X"}, "AWS_X is missing", "set it too"),
        ("ProfileNotFound", {"profile": "desi"}, "no AWS profile called desi", "AWS_PROFILE"),
        ("ConfigParseError", {"path": "/x/.aws/config"}, "/x/.aws/config cannot be read", "correct it"),
        ("ConfigNotFound", {"path": "/x"}, "/x of AWS settings does not exist", "AWS_CONFIG_FILE"),
        ("UnauthorizedSSOTokenError", {}, "login at AWS has ended", "aws sso login"),
        ("SSOTokenLoadError", {"error_msg": "x"}, "login at AWS has ended", "aws sso login"),
        ("TokenRetrievalError", {"provider": "sso", "error_msg": "x"}, "login at AWS has ended", "sso login"),
        ("LoginRefreshRequired", {}, "login at AWS has ended", "log in again"),
        ("CredentialRetrievalError", {"provider": "process", "error_msg": "x"}, "from process", "log in again"),
        ("RefreshWithMFAUnsupportedError", {}, "MFA code", "get-session-token"),
        ("NoRegionError", {}, "No AWS region", "lab_region"),
        ("InvalidRegionError", {"region_name": "us west"}, "“us west” is not the name", "lab_region"),
        ("ProxyConnectionError", {"proxy_url": "http://ann:secret@a.org:3128"}, "proxy a.org does not", "HTTPS_PROXY"),
        ("ProxyConnectionError", {"proxy_url": "http://"}, "HTTPS_PROXY is no address", "with user:password@ in"),
        ("SSLError", {"endpoint_url": EC2, "error": "x"}, "not trusted", "AWS_CA_BUNDLE"),
        ("ReadTimeoutError", {"endpoint_url": EC2}, "did not answer in time", "again"),
        ("ConnectionClosedError", {"endpoint_url": EC2}, "hung up", "again"),
        ("EndpointConnectionError", {"endpoint_url": f"{EC2}/"}, "not reach ec2.us", "PROXY"),
        ("EndpointConnectionError", {"endpoint_url": "http://127.0.0.1:5000/"}, "not reach 127.", "AWS_ENDPOINT_URL"),
        ("ConnectTimeoutError", {"endpoint_url": f"{EC2}/"}, "does not reach", "network"),
        ("HTTPClientError", {"error": "x"}, "does not reach AWS", "network"),
        ("WaiterError", {"name": "x", "reason": "x", "last_response": {}}, "took too long", "again"),
    ],
)
def test_what_happens_before_aws_answers_is_told(kind, facts, why, do):
    found = told(getattr(boto, kind)(**facts))
    assert why in found.why
    assert do in found.do


def refused(monkeypatch, variables, scheme="http"):
    """What is told of a call with these variables; its server is there, and says nothing."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": "/nope"}
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", *(f"{one}_proxy" for one in ("http", "https", "all", "no"))):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {**keys, **variables}.items():
        monkeypatch.setenv(name, value)
    # No name server is asked.
    monkeypatch.setattr(socket, "getaddrinfo", partial(socket.getaddrinfo, flags=socket.AI_NUMERICHOST))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
        once = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=3)
        with pytest.raises(boto.BotoCoreError) as caught:
            Session().create_client("sts", "us-west-2", endpoint_url=url, config=once).get_caller_identity()
    found = told(caught.value)
    assert not [part for part in ("EXAMPLE", "bob", "4711") if part in str(found)]
    return found


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("end", ["\r", "\n"])
def test_key_with_the_line_end_of_a_file_is_no_failure_of_the_network(monkeypatch, name, end):
    found = refused(monkeypatch, {name: f"AKIAIOSFODNN7EXAMPLE{end}"})
    assert "such as a line end" in found.why
    assert name in found.do


@pytest.mark.parametrize(
    ("value", "why"),
    [
        *[
            (f"{kind}://bob:4711@127.0.0.1:1", "SOCKS proxies cannot be used")
            for kind in ("socks5", "socks5h", "SOCKS4")
        ],
        *[(f"http://{rest}", "no address") for rest in ("h:abc", "h:99999", "bob:4711#x@h:1", "bob:4711/x@h", "a b:1")],
        *[(value, "no address") for value in ('"http://127.0.0.1:1"', "ftp://127.0.0.1:1", "bob:4711/x@h:1")],
        *[(value, "The proxy 127.0.0.1 does not answer") for value in ("http://bob:4711@127.0.0.1:1", "127.0.0.1:1")],
    ],
)
def test_proxy_that_is_none_is_not_said_to_be_silent(monkeypatch, value, why):
    found = refused(monkeypatch, {"https_proxy": value}, "https")
    assert why in found.why
    assert "HTTPS_PROXY" in found.why + found.do


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "ca_bundle"])
def test_authorities_that_cannot_be_read_are_not_said_not_to_trust(monkeypatch, tmp_path, name):
    (tmp_path / "none.pem").write_text("no certificate\n")
    for path, reason in (("gone", "no such file"), (".", "is a directory"), ("none.pem", "it holds no certificates")):
        (tmp_path / "config").write_text(f"[default]\nca_bundle = {tmp_path / path}\n")
        variables = {name: str(tmp_path / path)} if name.isupper() else {"AWS_CONFIG_FILE": str(tmp_path / "config")}
        found = refused(monkeypatch, variables, "https")
        assert f"{tmp_path / path if name.isupper() else 'of ca_bundle'} cannot be used: {reason}" in found.why
        assert name in found.do


def test_empty_name_of_a_profile_is_told_as_one():
    found = told(boto.ProfileNotFound(profile=""))
    assert "AWS_PROFILE or AWS_DEFAULT_PROFILE is set, but empty" in found.why
    assert found.do.startswith("unset it")


def test_answer_of_something_else_than_aws_is_told():
    assert "not AWS" in told(ResponseParserError("Unable to parse response, invalid XML received")).why


def test_a_region_with_a_slip_of_the_pen_is_told_with_the_right_one():
    error = boto.EndpointConnectionError(endpoint_url="https://ec2.us-wset-2.amazonaws.com/")
    found = told(error, "us-wset-2")
    assert "is us-west-2 meant?" in found.why
    assert found.do == "write -e lab_region=us-west-2"


def test_a_region_that_resembles_none_is_doubted():
    error = boto.EndpointConnectionError(endpoint_url="https://ec2.mars-1.amazonaws.com/")
    assert "see that mars-1 is a region" in told(error, "mars-1").do


def test_an_exception_that_lacks_what_it_should_hold_is_told_all_the_same():
    error = boto.ProfileNotFound(profile="x")
    error.kwargs = {}
    assert "called … on" in told(error).why
