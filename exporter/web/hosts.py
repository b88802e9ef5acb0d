"""Under which names the admin's pages answer: those that no other site can have.

A browser lets a page of evil.example ask evil.example. Where that name leads to this address by the second request
(DNS rebinding), it asks here, with an Origin that is its Host: only the name itself tells, as Jupyter, etcd and many a
development server have learnt.
"""

import ipaddress
import re
from collections.abc import Collection

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([\w.-]*))(?::\d*)?", re.ASCII | re.IGNORECASE)
# A page that was loaded from an address or from localhost is this exporter's own. Nobody can register a name without a
# dot, nor one of a cluster's services; `drift-exporter.dev` without `.svc` anybody can.
_NOBODYS = (".localhost", ".svc", ".svc.cluster.local")


def ours(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names this exporter, and can name no other site: an address, localhost, a name without a
    dot, a Kubernetes service up to `.svc`, or one of `names`. Without a header, which every browser sends, it does.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = (match[1] or match[2]).lower().removesuffix(".")
    return "." not in name or name.endswith(_NOBODYS) or name in names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
