"""The libraries that pyproject.toml names, a line each: for a layer of the image that outlives our own changes."""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
print(*project["dependencies"], sep="\n")
