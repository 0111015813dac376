# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from datetime import datetime, timezone

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError, AnsibleBotocoreError
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from ansible_collections.desi.lab.plugins.module_utils._aws.errors import (
    aws_error,
    aws_failure,
    botocore_errors,
    code_of,
    message_of,
    plain,
)
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError

# Codes and messages below are those that AWS sends.

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)


def said(code, message="", operation="RunInstances", date=None, status=400):
    """What botocore raises when AWS answers with an error."""
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {"date": date} if date else {}}
    return boto.ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, operation)


def told(error, region="us-west-2"):
    return aws_error(error, "start a machine", region, NOW)


# What AWS answers

FORBIDDEN_BY_ORGANIZATION = (
    "You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/a/1731429849551 "
    "is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-2:123456789012:instance/* with an "
    "explicit deny in a service control policy. Encoded authorization failure message: g4oZPBqZ4Bni8dE5dGjxYTnOZ"
)
FORBIDDEN = (
    "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ann is not authorized to "
    "perform: ec2:DescribeSubnets because no identity-based policy allows the ec2:DescribeSubnets action"
)
TOO_FEW_VCPUS = (
    "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the "
    "specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an "
    "adjustment to this limit."
)
WHO_ARE_YOU = "AWS was not able to validate the provided access credentials"


@pytest.mark.parametrize(
    ("code", "message", "why"),
    [
        ("Odd", "", "AWS says Odd."),
        ("", "It is odd", "AWS says It is odd."),
        ("", "", "AWS says no more than that it failed."),
        ("InvalidParameterCombination", "The parameter x is odd.", "AWS says InvalidParameterCombination: The"),
        ("OperationNotPermitted", "No.", "AWS says OperationNotPermitted: No."),
        ("AuthFailure", "Not authorized for images: [ami-5287d500]", "AWS says AuthFailure: Not authorized for images"),
        ("VcpuLimitExceededX", "No.", "AWS says VcpuLimitExceededX: No."),
    ],
)
def test_an_answer_that_only_resembles_a_known_one_is_not_taken_for_it(code, message, why):
    found = told(said(code, message))
    assert found.why.startswith(why)
    assert found.what == "It was not possible to start a machine."


def test_error_code_is_recognized_behind_the_prefix_client():
    assert code_of(said("Client.VcpuLimitExceeded")) == "VcpuLimitExceeded"
    assert "quota" in told(said("Client.VcpuLimitExceeded")).why


@pytest.mark.parametrize("response", [{}, {"Error": None}, {"Error": "x"}, {"Error": {}}, {"ResponseMetadata": None}])
def test_an_answer_of_an_odd_shape_is_told_all_the_same(response):
    error = boto.ClientError({"Error": {}}, "RunInstances")
    error.response = response
    assert told(error).why.endswith(".")


# The clock

LATE = "Signature expired: 20260101T001427Z is now earlier than 20260101T014428Z (20260101T015928Z - 15 min.)"
EARLY = "Signature not yet current: 20260101T060000Z is still later than 20260101T000500Z (20260101T000000Z + 5 min.)"
SKEWED = "The difference between the request time and the current time is too large."
AWS_AT_NOON = "Tue, 24 Nov 2026 12:00:00 GMT"
AWS_AT_TWO = "Tue, 24 Nov 2026 14:00:00 GMT"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (said("SignatureDoesNotMatch", LATE), "105 minutes behind that of AWS"),
        (said("InvalidSignatureException", LATE), "105 minutes behind that of AWS"),
        (said("SignatureDoesNotMatch", EARLY), "about 6 hours ahead of that of AWS"),
        (said("RequestTimeTooSkewed", SKEWED, date=AWS_AT_TWO), "about 2 hours behind that of AWS"),
        (said("RequestExpired", "Request has expired.", date="Tue, 24 Nov 2026 11:30:00 GMT"), "30 minutes ahead of"),
        # EC2 says of a wrong clock what it says of wrong keys; only its own time tells which it is.
        (said("AuthFailure", WHO_ARE_YOU, date=AWS_AT_TWO), "about 2 hours behind that of AWS"),
        (said("RequestTimeTooSkewed", SKEWED), "clock is wrong, or the credentials have expired"),
        (said("SignatureDoesNotMatch", "Signature expired: some time ago"), "clock is wrong, or the credentials"),
        (said("RequestExpired", "Request has expired.", date="nonsense"), "clock is wrong, or the credentials"),
    ],
)
def test_a_wrong_clock_is_told_as_one_and_how_wrong_it_is(error, why):
    found = told(error)
    assert why in found.why
    assert "date -u" in found.do


@pytest.mark.parametrize(
    ("code", "message", "date", "why"),
    [
        ("RequestExpired", "Request has expired.", AWS_AT_NOON, "the credentials have expired"),
        # A minute off is right enough.
        ("RequestExpired", "Request has expired.", "Tue, 24 Nov 2026 11:59:00 GMT", "though the clock is right"),
        ("AuthFailure", WHO_ARE_YOU, AWS_AT_NOON, "does not know these credentials"),
    ],
)
def test_other_errors_are_not_taken_for_a_wrong_clock_where_aws_tells_the_time(code, message, date, why):
    found = told(said(code, message, date=date))
    assert why in found.why
    assert "clock" not in found.do


@pytest.mark.parametrize("code", ["VolumeModificationRateExceeded", "IncorrectModificationState"])
def test_a_disk_that_was_changed_lately_is_told_with_how_long_aws_waits(code):
    found = told(said(code, "You've reached the maximum modification rate per volume limit. Wait at least 6 hours."))
    assert "once in 6 hours" in found.why
    assert "later" in found.do


def test_a_region_that_has_to_be_enabled_is_told_as_one():
    found = told(said("AuthFailure", WHO_ARE_YOU, date=AWS_AT_NOON), "ap-east-1")
    assert "enable" in found.why
    assert "ap-east-1" in found.do


@pytest.mark.parametrize(
    ("error", "region"),
    [
        (said("InvalidClientTokenId"), "ap-east-1"),
        (said("AuthFailure", WHO_ARE_YOU), ""),
        (said("AuthFailure", WHO_ARE_YOU), "us-west-2"),
    ],
)
def test_wrong_keys_are_not_taken_for_a_region_that_has_to_be_enabled(error, region):
    assert "does not know these credentials" in told(error, region).why


# Secrets


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ValueError("Invalid endpoint: x"), "Invalid endpoint: x."),
        (KeyError(), "KeyError."),
        (AnsibleAWSError(message="No boto3 here"), "No boto3 here."),
    ],
)
def test_anything_else_is_told_in_its_own_words_and_without_a_password(error, why):
    assert told(error).why == why


def test_accounts_keys_and_encoded_messages_are_not_told():
    text = str(told(said("UnauthorizedOperation", FORBIDDEN_BY_ORGANIZATION))) + str(
        told(said("Odd", f"Key AKIAIOSFODNN7EXAMPLE of 123456789012. {FORBIDDEN_BY_ORGANIZATION}"))
    )
    for secret in ("123456789012", "AKIAIOSFODNN7EXAMPLE", "g4oZ", "Encoded"):
        assert secret not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("account 123456789012", "account …9012"),
        ("arn:aws:iam::123456789012:user/ann", "arn:aws:iam::…9012:user/ann"),
        ("i-012345678901", "i-012345678901"),
        ("1234567890123", "1234567890123"),
        ("by ASIAIOSFODNN7EXAMPLE", "by <hidden>"),
    ],
)
def test_account_numbers_are_cut_and_ids_are_not(text, shown):
    assert plain(text) == shown


def test_only_the_first_sentence_is_told():
    assert message_of(said("Odd", "You may not Encoded authorization failure message: g4oZ")) == "You may not"
    assert message_of(said("Odd", "One. Two. Three.")) == "One."
    assert message_of(said("Odd", "Use 3.5 GiB, e.g. more")) == "Use 3.5 GiB, e.g. more"
    assert message_of(ValueError("one\ntwo")) == "one"


# The wrappings of amazon.aws


@pytest.mark.parametrize("kind", [AnsibleAWSError, AnsibleBotocoreError])
def test_exception_of_amazon_aws_is_unwrapped(kind):
    error = kind(message="Failed to run instances", exception=said("VcpuLimitExceeded", TOO_FEW_VCPUS))
    assert "to 0 vCPUs" in told(error).why


def test_errors_of_botocore_are_among_those_that_calls_may_raise():
    assert isinstance(said("x"), botocore_errors())
    assert isinstance(boto.NoCredentialsError(), botocore_errors())
    assert isinstance(ResponseParserError(), botocore_errors())
    assert not isinstance(ValueError(), botocore_errors())


# Results of tasks

OCCURRED = f"An error occurred (UnauthorizedOperation) when calling the TerminateInstances operation: {FORBIDDEN}"


@pytest.mark.parametrize(
    "result",
    [
        {"failed": True, "msg": f"Unable to terminate instances: Failed to terminate instances: {OCCURRED}"},
        {"failed": True, "msg": "x", "error": {"code": "UnauthorizedOperation", "message": FORBIDDEN}},
        {"results": [{"failed": False}, {"failed": True, "msg": OCCURRED}], "msg": "One or more items failed"},
    ],
)
def test_failed_task_of_amazon_aws_is_told(result):
    assert "ec2:DescribeSubnets" in aws_failure(result, "stop it")["why"]
    assert aws_failure(result, "stop it")["what"] == "It was not possible to stop it."


@pytest.mark.parametrize(
    ("code", "operation", "why"),
    [
        ("RequestLimitExceeded", "X operation (reached max retries: 4)", "too many requests"),
        ("UnauthorizedOperation", "DeleteKeyPair operation", "ec2:DeleteKeyPair"),
    ],
)
def test_failed_task_is_told_by_the_code_and_the_operation_in_its_message(code, operation, why):
    message = f"An error occurred ({code}) when calling the {operation}: You may not."
    assert why in aws_failure({"msg": message}, "stop it")["why"]


def test_failed_task_of_ours_is_told_as_it_is():
    error = LabError("It is gone.", "Ben took it.", "ask him")
    assert aws_failure(error.as_result(), "stop it") == {"what": "It is gone.", "why": "Ben took it.", "do": "ask him"}


@pytest.mark.parametrize(
    ("result", "why"), [({"msg": "No such thing"}, "No such thing."), ({}, "Exception."), ({"msg": None}, "E")]
)
def test_failed_task_that_says_little_is_told_all_the_same(result, why):
    assert aws_failure(result, "stop it")["why"].startswith(why)
