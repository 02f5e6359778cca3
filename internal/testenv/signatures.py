"""Signs recorded requests again with botocore, and prints those that are signed otherwise."""

import base64
import datetime
import hashlib
import json
import re
import sys
from urllib.parse import unquote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import Credentials

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
SKEW = datetime.timedelta(minutes=5)


class Again(SigV4Auth):
    """Signs the headers that were signed, rather than those that botocore would choose."""

    def __init__(self, credentials, service, region, names):
        super().__init__(credentials, service, region)
        self.names = names

    def headers_to_sign(self, request):
        chosen = HTTPHeaders()
        for name in self.names:
            for value in request.headers.get_all(name, []):
                chosen[name] = value
        return chosen


def received(text):
    return datetime.datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))


def wrong(request, keys):
    """Says why AWS would refuse the request, or returns None."""
    headers = {name.lower(): values for name, values in request["header"].items()}
    headers["host"] = [request["host"]]
    if len(headers.get("authorization", [])) != 1:
        return "it is not signed once"
    match = AUTHORIZATION.fullmatch(headers["authorization"][0])
    if not match:
        return "its authorization cannot be read"
    key, day, region, service, names, signature = match.groups()
    if key not in keys:
        return f"key {key} is not known"
    names = names.split(";")
    if names != sorted(set(names)):
        return "the signed headers are not in order"
    for name in names:
        if name not in headers:
            return f"header {name} is signed and missing"
    for name in headers:
        if (name == "host" or name.startswith("x-amz-")) and name not in names:
            return f"header {name} is not signed"
    date = headers.get("x-amz-date", [""])[0]
    try:
        at = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return f"the date {date!r} cannot be read"
    if date[:8] != day or abs(received(request["received"]) - at) > SKEW:
        return f"the date {date} is not that of the arrival or of the scope"
    session = headers.get("x-amz-security-token", [""])[0]
    if session != keys[key]["Session"]:
        return "the session token is not that of the key"
    body = base64.b64decode(request["body"] or "")
    said = headers.get("x-amz-content-sha256", [None])[0]
    if said is not None and said != hashlib.sha256(body).hexdigest():
        return f"the body is not the one that is signed: x-amz-content-sha256 is {said}"
    path, _, query = request["target"].partition("?")
    pairs = [tuple(unquote(part) for part in pair.partition("=")[::2]) for pair in query.split("&") if pair]
    again = AWSRequest(method=request["method"], url="http://" + request["host"] + path, params=pairs, data=body)
    for name, values in headers.items():
        for value in values:
            again.headers[name] = value  # appends
    again.context["timestamp"] = date
    signer = Again(Credentials(key, keys[key]["Secret"], session or None), service, region, names)
    canonical = signer.canonical_request(again)
    if signer.signature(signer.string_to_sign(again, canonical), again) != signature:
        return "the signature differs; the canonical request is\n" + canonical
    return None


def main():
    given = json.load(sys.stdin)
    found = []
    for index, request in enumerate(given["requests"]):
        why = wrong(request, given["keys"])
        if why:
            found.append({"index": index, "why": why})
    json.dump(found, sys.stdout)


main()
