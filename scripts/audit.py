"""usage: scripts/audit.py SITE-PACKAGES OUT.json

Asks about known vulnerabilities of everything installed there, by pip-audit. Leaves with 0 only where somebody who
knows was asked about each of them and knew of none. A mirror of PyPI often has no advisories, and then knows of none
either: so each service is first asked about a version that is known to be vulnerable.
"""

import json
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.utils import canonicalize_name

SERVICES = ("pypi", "osv")
VULNERABLE = "jinja2==2.10"  # CVE-2019-10906
OURSELVES = "drift-exporter"  # no index has it before it is released
PIP_AUDIT = Path(sys.executable).parent / "pip-audit"


def asked(service: str, pins: list[str], folder: Path) -> list[dict[str, Any]] | str:
    """Each library with `vulns`, or with `skip_reason`; or in words why there is no answer."""
    wanted, out = folder / "wanted.txt", folder / "found.json"
    wanted.write_text("".join(f"{pin}\n" for pin in pins))
    out.unlink(missing_ok=True)
    words = ["--requirement", wanted, "--no-deps", "--disable-pip", "--vulnerability-service", service]
    more = ["--progress-spinner", "off", "--format", "json", "--output", out]
    done = subprocess.run([PIP_AUDIT, *words, *more], capture_output=True, text=True, check=False)
    if not out.exists():
        return (done.stderr.strip().splitlines() or [f"pip-audit left with {done.returncode}"])[-1][:160]
    found: list[dict[str, Any]] = json.loads(out.read_text())["dependencies"]
    return found


def audit(pins: list[str], out: Path, folder: Path) -> str | None:
    """What is wrong, None where nothing is. Writes to `out` what the first service said that knows anything."""
    silent = []
    for service in SERVICES:
        known = asked(service, [VULNERABLE], folder)
        if isinstance(known, str):
            silent.append(f"{service}: {known}")
            continue
        if not any(one.get("vulns") for one in known):
            why = next((one["skip_reason"] for one in known if "skip_reason" in one), "it knows of nothing")
            silent.append(f"{service}: asked about {VULNERABLE}, which is vulnerable: {why}")
            continue
        found = asked(service, pins, folder)
        if isinstance(found, str):
            silent.append(f"{service}: {found}")
            continue
        out.write_text(json.dumps({"service": service, "dependencies": found}, indent=1) + "\n")
        left = [f"{one['name']}: {one['skip_reason']}" for one in found if "skip_reason" in one]
        left += sorted({pin.partition("==")[0] for pin in pins} - {one["name"] for one in found})
        bad = [f"{one['name']} {one['version']}: {flaw['id']}" for one in found for flaw in one.get("vulns", ())]
        if bad or left:
            return "\n".join([*(f"vulnerable: {one}" for one in bad), *(f"not known there: {one}" for one in left)])
        print(f"audit: {service} knows of no vulnerability in {len(found)} libraries")
        return None
    return "\n".join(["nobody who knows of vulnerabilities can be reached from here:", *silent])


def main(site: str, out: str) -> None:
    """Everything installed in the folder `site`, less ourselves."""
    pins = sorted(
        f"{canonicalize_name(one.metadata['Name'])}=={one.version}"
        for one in distributions(path=[site])
        if canonicalize_name(one.metadata["Name"]) != OURSELVES
    )
    with TemporaryDirectory() as folder:
        wrong = audit(pins, Path(out), Path(folder))
    if wrong is not None:
        raise SystemExit("".join(f"audit: {line}\n" for line in wrong.splitlines()).rstrip())


if __name__ == "__main__":
    main(*sys.argv[1:])
