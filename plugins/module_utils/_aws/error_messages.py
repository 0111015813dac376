# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of AWS error codes and botocore exceptions, with why and what to do."""

from __future__ import annotations

import os
import re
import ssl
import typing as t

from .._common.network import CA_NAMES, WRITE_PROXY, parse_proxy
from .._common.text import nearest


class Explanation(t.NamedTuple):
    """Why something did not work, and what to do about it."""

    why: str
    do: str


LOG_IN = "log in again, for example with 'aws sso login'"
SEE_CLOCK = "set the clock, for example with 'sudo timedatectl set-ntp true', and see that 'date -u' is right"
AGAIN = "wait a minute and run the same command again: it goes on from here"

OPEN_REGIONS = [
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"),
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
]
"""The regions that every account may use; all later ones have to be enabled first."""

FORBIDDEN = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError")
ACTION_REASON = (
    ("explicit deny in a service control policy", "your organization forbids it"),
    ("explicit deny in a resource control policy", "your organization forbids it"),
    ("explicit deny", "a policy forbids it explicitly"),
    ("no permissions boundary allows", "the boundary of your permissions leaves it out"),
    ("no session policy allows", "the policy of your session leaves it out"),
    ("no identity-based policy allows", "no policy of yours allows it"),
)


def _say(why: str, do: str) -> t.Callable[[str, str], Explanation]:
    return lambda _text, _region: Explanation(why, do)


def _too_few_vcpus(text: str, region: str) -> Explanation:
    limit = vcpu_limit(text)
    most = "to fewer vCPUs than are needed" if limit is None else f"to {limit} vCPUs"
    # The type is not known here.
    return Explanation(
        f"The quota of your account limits machines of this family{_in(region)} {most}.",
        "take a smaller type with -e lab_instance_type=…, stop other machines, or ask for more (it takes a day or so) "
        "under Service Quotas in the console; for the families A, C, D, H, I, M, R, T and Z: "
        f"{quota_increase('L-1216C47A', (limit or 0) + 8, region)}",
    )


def vcpu_limit(text: str) -> int | None:
    """Return the limit that a refusal names; None where it names none."""
    found = re.search(r"limit of (\d+)", text)
    return int(found[1]) if found else None


def quota_increase(code: str, vcpus: int, region: str) -> str:
    """Return the command that asks AWS for a larger quota."""
    command = f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code}"
    return f"{command} --desired-value {vcpus}{_option(region)}"


def _too_many_spot(_text: str, region: str) -> Explanation:
    # Neither the type nor the limit is known here.
    return Explanation(
        f"The quota of your account for spot machines{_in(region)} is used up.",
        "leave out lab_spot, or ask for more under Service Quotas in the console: All … Spot Instance Requests",
    )


def _free_plan(_text: str, region: str) -> Explanation:
    return Explanation(
        "Your account is on the free plan of AWS, which does not include this type of machine.",
        "list those that it includes: aws ec2 describe-instance-types --filters Name=free-tier-eligible,Values=true "
        f"--query 'InstanceTypes[].InstanceType'{_option(region)}, and give one with -e lab_instance_type=…",
    )


def _no_vpc(_text: str, region: str) -> Explanation:
    make = f"aws ec2 create-default-vpc{_option(region)}"
    return Explanation("The region has no default VPC.", f"make one with '{make}', or give -e lab_subnet=subnet-…")


def _no_capacity(text: str, region: str) -> Explanation:
    found = re.search(r"sufficient (\S+) capacity .*?\((\S+)\)", text)
    where = f"no {found[1]} to give in {found[2]}" if found else f"no such machine to give{_in(region)}"
    return Explanation(
        f"At this moment AWS has {where}.",
        "try again later, or give several types, for example -e lab_instance_type=t3.micro,t3a.micro",
    )


def _not_enabled(_text: str, region: str) -> Explanation:
    return Explanation(
        f"Your account has not enabled {region or 'this region'}, or has not finished signing up.",
        "enable it in the console under Account, or use -e lab_region=us-west-2",
    )


def _in(region: str) -> str:
    return f" in {region}" if region else ""


def _option(region: str) -> str:
    return f" --region {region}" if region else ""


_AWS_UNAVAILABLE = _say("AWS itself has trouble at this moment.", AGAIN)
_LIMIT = "delete what is not needed any more in the console, or ask AWS for more under Service Quotas"

# The code as a pattern, what the message holds, and what is reported. The first that fits is taken.
BY_CODE: tuple[tuple[str, str, t.Callable[[str, str], Explanation]], ...] = (
    ("ExpiredToken(Exception)?|TokenRefreshRequired|ExpiredTokenRequest", "",
     _say("The credentials have expired.", LOG_IN)),
    ("RequestLimitExceeded|Throttling(Exception)?|ThrottledException|RequestThrottled(Exception)?|"
     "TooManyRequestsException|EC2ThrottledException|SlowDown|PriorRequestNotComplete", "",
     _say("AWS gets too many requests from this account at this moment.", AGAIN)),
    ("VcpuLimitExceeded|InstanceLimitExceeded", "", _too_few_vcpus),
    ("MaxSpotInstanceCountExceeded", "", _too_many_spot),
    ("InsufficientInstanceCapacity|InsufficientHostCapacity|InsufficientCapacity", "", _no_capacity),
    ("SpotMaxPriceTooLow", "", _say("No spot machine is available at the on-demand price.", "leave out lab_spot")),
    ("InsufficientFreeAddressesInSubnet", "",
     _say("The subnet has no free address left.", "give another one with -e lab_subnet=subnet-…, or free some")),
    ("OptInRequired", "", _not_enabled),
    ("PendingVerification", "",
     _say("AWS is still verifying your account for this region.", "wait for the e-mail of AWS, then try again")),
    ("Blocked", "", _say("AWS has blocked your account.", "read the e-mails of AWS, or ask AWS Support")),
    ("InvalidParameterCombination", "Free Tier", _free_plan),
    ("VPCIdNotSpecified|DefaultVpcDoesNotExist|MissingInput", "VPC", _no_vpc),
    ("VolumeLimitExceeded|MaxIOPSLimitExceeded|SnapshotLimitExceeded", "",
     _say("The quota of your account for disks is used up.", _LIMIT)),
    ("VolumeModificationRateExceeded|IncorrectModificationState", "",
     _say("AWS changes a disk once in 6 hours, and this one was changed lately.",
          "run the same command again later; the disk is as it was")),
    ("SecurityGroupLimitExceeded|SecurityGroupsPerInterfaceLimitExceeded", "",
     _say("The quota of your account for security groups is used up.", _LIMIT)),
    ("AddressLimitExceeded|VpcLimitExceeded|NetworkInterfaceLimitExceeded|RulesPerSecurityGroupLimitExceeded", "",
     _say("A quota of your account for networking is used up.", _LIMIT)),
    ("DependencyViolation", "",
     _say("Something that lacks the lab's tags still uses it.",
          "see in the console, under Network interfaces, what that is, and run this again without it")),
    ("OperationNotPermitted", "disableApiTermination",
     _say("The machine is protected against being terminated.",
          "take the protection off in the console, under Instance settings, and run this again")),
    ("InternalError|InternalFailure|InternalServerError|InternalServiceError|ServiceUnavailable(Exception)?|"
     "Unavailable|RequestTimeout(Exception)?|50[0-4]", "", _AWS_UNAVAILABLE),
)  # fmt: skip


def _unreachable(facts: t.Mapping[str, t.Any], region: str) -> Explanation:
    server = facts["endpoint_url"]
    near = nearest(region, OPEN_REGIONS, cutoff=0.8)
    if region and near and near != [region] and region in server:
        return Explanation(f"There is no server {server}; is {near[0]} meant?", f"write -e lab_region={near[0]}")
    why = f"This computer does not reach {server or 'AWS'}."
    do = "check the network, and HTTPS_PROXY where your network wants a proxy"
    if region and region in server and region not in OPEN_REGIONS:
        do += f" · see that {region} is a region of AWS"
    elif server and "amazonaws" not in server:
        do += " · AWS_ENDPOINT_URL leads there instead of to AWS"
    return Explanation(why, do)


_NO_PROXY = Explanation("HTTPS_PROXY is no address of a proxy.", WRITE_PROXY.format("HTTPS_PROXY"))


def _proxy(facts: t.Mapping[str, t.Any], _region: str) -> Explanation:
    url = str(facts.get("proxy_url") or "")
    # botocore puts http:// in front of what begins with anything else.
    given = url.replace("http://", "", 1) if url.count("://") > 1 else url
    if given.lower().startswith("socks"):
        why = "HTTPS_PROXY is a SOCKS proxy, and SOCKS proxies cannot be used for AWS."
        return Explanation(why, "set it to an HTTP proxy, or unset it where no proxy is needed")
    proxy = parse_proxy(url) if given == url else None
    if not proxy:
        return _NO_PROXY
    do = "correct HTTPS_PROXY, or unset it where no proxy is needed"
    return Explanation(f"The proxy {proxy.host} does not answer.", do)


def _not_sent(facts: t.Mapping[str, t.Any], region: str) -> Explanation:
    error = facts.get("error")
    # botocore has parsed the address of AWS before, so it is the proxy's.
    if type(error).__name__ == "LocationParseError":
        return _NO_PROXY
    if "Invalid header value" in str(error):
        return Explanation(
            "The AWS access key or session token has a character in it that none has, such as a line end.",
            "set AWS_ACCESS_KEY_ID, and AWS_SESSION_TOKEN if there is one, without it; "
            "a file written on Windows has one more character at the end of each line",
        )
    return _unreachable(facts, region)


def _untrusted(facts: t.Mapping[str, t.Any], _region: str) -> Explanation:
    cause = next(iter(getattr(facts.get("error"), "args", ())), None)
    reason = "it holds no certificates" if "[X509" in str(cause) else ""
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError):
        reason = str(cause.strerror).lower()
    if reason:
        # In the order of botocore.
        name = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or "of ca_bundle"
        where = f"{', '.join(CA_NAMES)}, or ca_bundle in ~/.aws/config"
        return Explanation(
            f"The file of certificate authorities {name} cannot be used: {reason}.",
            f"give a file of certificates (PEM) instead, or unset whichever names it: {where}",
        )
    return Explanation(
        f"The certificate that {facts['endpoint_url']} shows is not trusted here; a proxy of your network may stand "
        "between.",
        "set AWS_CA_BUNDLE to a file with the certificate authorities that your network uses",
    )


def _no_profile(facts: t.Mapping[str, t.Any], _region: str) -> Explanation:
    name = facts.get("profile", "…")
    do = "see which there are with 'aws configure list-profiles', and set AWS_PROFILE to one of them"
    if not name:
        return Explanation("AWS_PROFILE or AWS_DEFAULT_PROFILE is set, but empty.", f"unset it, or {do}")
    return Explanation(f"There is no AWS profile called {name} on this computer.", do)


def _fixed(why: str, do: str) -> t.Callable[[t.Mapping[str, t.Any], str], Explanation]:
    # What botocore knows of an exception stands in it by name; it may lack any of them.
    return lambda facts, _region: Explanation(why.format_map(_Facts(facts)), do.format_map(_Facts(facts)))


class _Facts(dict):
    def __missing__(self, key: str) -> str:
        return "…"


_log_in = _fixed("Your login at AWS has ended, or was never made on this computer.", LOG_IN)
_SETTINGS = "correct that in ~/.aws/config or in the variable of that name, or use another profile: AWS_PROFILE=NAME"
_OF_SETTINGS = (
    *("InvalidConfigError", "UnknownCredentialError", "UnknownTokenProviderError", "InvalidProxiesConfigError"),
    *("InvalidIMDSEndpointError", "InvalidIMDSEndpointModeError", "InvalidDefaultsMode", "InvalidChecksumConfigError"),
    *("InvalidRetryConfigurationError", "InvalidSTSRegionalEndpointsConfigError", "InvalidEndpointConfigurationError"),
    *("InvalidEndpointDiscoveryConfigurationError", "EndpointVariantError", "UnknownFIPSEndpointError"),
    *("UnknownSignatureVersionError", "UnsupportedSignatureVersionError", "EndpointProviderError"),
)
# The class of an exception of botocore, and what is reported. The first that fits is taken.
BY_CLASS: tuple[tuple[str, t.Callable[[t.Mapping[str, t.Any], str], Explanation]], ...] = (
    ("NoCredentialsError",
     _fixed("No AWS credentials were found on this computer.",
            "give them with 'aws configure' or 'aws sso login', or set AWS_PROFILE, "
            "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")),
    ("PartialCredentialsError",
     _fixed("The AWS credentials are not whole: {cred_var} is missing.", "set it too, or use 'aws configure'")),
    ("ProfileNotFound", _no_profile),
    ("ConfigParseError",
     _fixed("The file {path} cannot be read as AWS settings.", "correct it, or use 'aws configure'")),
    ("ConfigNotFound",
     _fixed("The file {path} of AWS settings does not exist.", "correct AWS_CONFIG_FILE, or unset it")),
    ("SSOError", _log_in),
    ("LoginInsufficientPermissions",
     _fixed("Your permissions at AWS do not include signin:CreateOAuth2Token, which 'aws login' needs.",
            "ask whoever manages the AWS account to allow it, or use another profile: AWS_PROFILE=NAME")),
    ("LoginError",
     _fixed("Your login at AWS has ended, or was never made on this computer.", "log in again with 'aws login'")),
    ("TokenRetrievalError", _log_in),
    ("CredentialRetrievalError",
     _fixed("The AWS credentials could not be had from {provider}.", f"see that it works by itself, or {LOG_IN}")),
    ("MetadataRetrievalError",
     _fixed("The AWS credentials could not be had from this machine's metadata.", "give them with 'aws configure'")),
    ("NoAuthTokenError", _log_in),
    ("RefreshWithMFAUnsupportedError",
     _fixed("The AWS profile needs an MFA code, and DESI Lab cannot prompt for one.",
            "get credentials for some hours with 'aws sts get-session-token --serial-number … --token-code …'")),
    ("MissingDependencyException",
     _fixed("The AWS login that is set up needs a package that is missing here.", "install botocore[crt]")),
    *((name, _fixed("The AWS settings of this computer are not valid: {said}.", _SETTINGS)) for name in _OF_SETTINGS),
    ("NoRegionError", _fixed("No AWS region was given.", "give one: -e lab_region=us-west-2")),
    ("InvalidRegionError",
     _fixed("“{region_name}” is not the name of an AWS region.", "write it as AWS does: -e lab_region=us-west-2")),
    ("UnknownRegionError", _fixed("There is no AWS region {region_name}.", "choose another: -e lab_region=us-west-2")),
    ("UnknownEndpointError", _fixed("AWS has no {service_name} in {region_name}.", "use -e lab_region=us-west-2")),
    ("ProxyConnectionError", _proxy),
    ("SSLError", _untrusted),
    ("ReadTimeoutError", _fixed("{endpoint_url} took the request and did not answer in time.", AGAIN)),
    ("ConnectionClosedError", _fixed("{endpoint_url} hung up before it had answered.", AGAIN)),
    ("EndpointConnectionError", _unreachable),
    ("ConnectTimeoutError", _unreachable),
    ("ConnectionError", _unreachable),
    ("HTTPClientError", _not_sent),
    ("ResponseParserError",
     _fixed("What answers is not AWS: its answer cannot be read. A proxy or a login page may stand between.",
            "open any page in a browser to see whether your network wants a login, then try again")),
    ("WaiterError", _fixed("AWS took too long.", AGAIN)),
)  # fmt: skip
