"""A folder with a config.yaml, loaded as often as a test likes."""

from pathlib import Path
from typing import Any

from exporter.config import Config, ConfigErrors, load

SMALLEST = """
kafka:
  bootstrap_servers: [localhost:9092]
topics:
  flights.predictions: {role: predictions}
  flights.labels: {role: labels}
models:
  flight-delay:
    task: binary
    reference: flight-delay.reference.json
"""


class Folder:
    """Holds the file of the test that asked last."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, text: str, environ: dict[str, str] | None = None, purpose: Any = "read") -> Config:
        file = self.path / "config.yaml"
        file.write_text(text)
        return load(file, environ or {}, purpose)

    def complaints(self, text: str, environ: dict[str, str] | None = None, purpose: Any = "read") -> list[str]:
        """One line each, without the folder; none where the file loads."""
        try:
            self.load(text, environ, purpose)
        except ConfigErrors as errors:
            return [str(error).replace(f"{self.path}/", "") for error in errors.errors]
        return []


def model(lines: str) -> str:
    """The smallest configuration with more lines in its model, one a line."""
    return SMALLEST + "".join(f"    {line}\n" for line in lines.splitlines())
