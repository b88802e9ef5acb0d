"""What a test does when the machine lacks a program: a desk may lack it, CI may not."""

import os
import shutil
from pathlib import Path

import pytest


def need(command: str, package: str) -> Path:
    """Where `command` is. Without it the test skips and names Debian's `package`; with CI=true it fails."""
    path = shutil.which(command)
    if path is None:
        reason = f"{command} is not on the PATH: on Debian it comes with `apt-get install {package}`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return Path(path)
