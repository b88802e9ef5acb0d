"""`python3 -m exporter.probe [URL [CERTIFICATE KEY]]`: leaves with 0 where the URL answers well, else with 1 and why.

For whoever runs a container and can only ask from inside it: Docker, and a kubelet, which has no client certificate.
Like the kubelet's own question it takes any server's certificate, for it asks at the loopback address; and unlike
urllib's it goes through no proxy. The standard library alone, so that it starts soon with a tenth of a processor.

The environment gives what the command line does not: DRIFT_EXPORTER_HEALTH, the URL, and DRIFT_EXPORTER_PROBE_HEADERS,
such as `[{"name": "Authorization", "value": "Basic …"}]`, as passwords are no arguments.
"""

import json
import os
import ssl
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

SECONDS = 9.0  # for each step; orchestrators allow 10 in all
HEALTH = "http://localhost:9877/-/healthy"


def problem(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Why it is not well; "" where it is."""
    url, *pair = [*arguments] or [environ.get("DRIFT_EXPORTER_HEALTH", HEALTH)]
    if len(pair) not in (0, 2):
        return "usage: python3 -m exporter.probe [URL [CERTIFICATE KEY]]"
    try:
        given = json.loads(environ.get("DRIFT_EXPORTER_PROBE_HEADERS", "[]"))
        headers = {str(one["name"]): str(one["value"]) for one in given}
    except (ValueError, TypeError, KeyError):
        return 'DRIFT_EXPORTER_PROBE_HEADERS is not like [{"name": "Authorization", "value": "…"}]'
    try:
        return _asked(url, pair, headers)
    except (OSError, HTTPException) as error:
        return f"{url}: {str(error) or type(error).__name__}"
    except ValueError:  # which would show what is in a header
        return f"{url}: it, or a header, is not as HTTP has it"


def _asked(url: str, pair: Sequence[str], headers: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if pair:
            context.load_cert_chain(pair[0], pair[1], password="")  # rather than to ask at a terminal
        connection: HTTPConnection = HTTPSConnection(host, port, timeout=SECONDS, context=context)
    else:
        connection = HTTPConnection(host, port, timeout=SECONDS)
    connection.request("GET", parts.path or "/", headers=dict(headers))
    answer = connection.getresponse()
    said = answer.read(200).decode(errors="replace").strip()
    return "" if answer.status < 400 else f"{url}: {answer.status} {said}"


if __name__ == "__main__":
    if why := problem(sys.argv[1:], os.environ):
        sys.exit(why)
