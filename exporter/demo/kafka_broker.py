"""Apache Kafka on this machine: one node in KRaft mode, started from its jars, with everything in one folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from exporter.demo.prepare import DemoError

_START = 60.0  # seconds to wait for it; it takes 3 to 6
_STOP = 10.0
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
_CLUSTER = "4L6g3nShT-eMCtK--X86sw"  # any 16 bytes


def require(jars: Path) -> None:
    """Raises DemoError where Java or Kafka is missing."""
    if shutil.which("java") is None:
        raise DemoError("Kafka needs Java 17 or newer; on Debian: apt-get install default-jre-headless")
    if not any(jars.glob("kafka-server-*.jar")):
        raise DemoError(
            f"{jars} has no Apache Kafka, which `make demo-kafka` fetches by Maven; on Debian: apt-get install maven"
        )


class Broker:
    """`address`: HOST:PORT, once it runs. `folder` is emptied first: each demo has a Kafka of its own."""

    def __init__(self, folder: Path, jars: Path) -> None:
        self.address = f"127.0.0.1:{_free_port()}"
        self._folder = folder
        self._java = ["java", *_JVM, "-cp", f"{jars.absolute()}/*"]
        self._log = folder / "kafka.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers. Raises DemoError where it does not."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        controller = f"127.0.0.1:{_free_port()}"
        properties = self._folder / "server.properties"
        properties.write_text(
            f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=PLAINTEXT://{self.address},CONTROLLER://{controller}
controller.listener.names=CONTROLLER
log.dirs={self._folder.absolute() / "data"}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
# The flights are of the last months, and stay.
log.retention.ms=-1
"""
        )
        try:
            self._run("kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER, "--config", str(properties))
            if self._process is None or self._process.wait(_START) == 0:
                self._run("kafka.Kafka", str(properties))
                if self._answers():
                    return
        except subprocess.TimeoutExpired:
            pass
        said = self._log.read_text().strip().splitlines()
        self.stop()
        raise DemoError(f"Kafka did not start ({said[-1] if said else 'it said nothing'}); it needs Java 17 or newer")

    def _run(self, *words: str) -> None:
        # A session of its own: a Ctrl-C is for us, who end what depends on Kafka first.
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*self._java, *words], stdout=log, stderr=log, start_new_session=True)

    def _answers(self) -> bool:
        host, port = self.address.split(":")
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and self.runs():
            try:
                socket.create_connection((host, int(port)), 1).close()
                return True
            except OSError:
                time.sleep(0.1)
        return False

    def runs(self) -> bool:
        """Whether its process does."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends its process; what it holds stays in the folder."""
        if self._process is not None:
            end(self._process, _STOP)


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """SIGTERM, and SIGKILL where that takes too long."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
