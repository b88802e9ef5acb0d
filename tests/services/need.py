"""What a test does when the machine lacks something: a desk may lack it, CI may not."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Leaves the test: skipped for this reason, and with CI=true failed."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def need(command: str, package: str) -> Path:
    """Where `command` is. Without it the test skips and names Debian's `package`; with CI=true it fails."""
    path = shutil.which(command)
    if path is None:
        lacking(f"{command} is not on the PATH: on Debian it comes with `apt-get install {package}`")
    return Path(path)
