"""The image and the example around it, as far as they can be looked at without a Docker engine.

Its steps are tried by scripts/image-drill.sh; docs/deploy.md says what that showed.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

from exporter.config import load
from exporter.demo.prepare import CONFIG
from tests.deploy.manifests import CHART, ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
BIN = Path(sys.executable).parent


def instructions(name: str) -> list[str]:
    """Of the last stage, which is the image."""
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    return [found.strip() for found in re.findall(rf"^\s*{name} (.*)$", last, re.MULTILINE)]


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_it_runs_as_the_user_of_the_chart_without_a_shell() -> None:
    pod = yaml.safe_load((CHART / "values.yaml").read_text())["podSecurityContext"]
    assert instructions("USER") == [f"{pod['runAsUser']}:{pod['runAsGroup']}"]
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["drift-exporter"]
    assert json.loads(instructions("CMD")[-1])[0] == "run"
    [health] = instructions("HEALTHCHECK")
    assert not re.search(r"curl|wget|/bin/sh|CMD-SHELL", health)
    assert instructions("RUN") == [], "nothing but copies: the last stage has no tools"
    assert instructions("EXPOSE") == ["9877"]


def test_the_health_check_succeeds_and_fails_with_healthy(tmp_path: Path) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    [health] = instructions("HEALTHCHECK")
    command = [word for word in json.loads(health.partition("CMD ")[2]) if word != "-I"]  # so that it is this tree's
    command[0] = sys.executable
    codes = [200, 503]

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(codes.pop(0))
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        env = {**os.environ, "DRIFT_EXPORTER_HEALTH": f"http://127.0.0.1:{server.server_port}/-/healthy"}
        env["http_proxy"] = "http://127.0.0.1:9"  # a company's, which Docker hands to every container
        ends = [subprocess.run(command, env=env, capture_output=True, check=False).returncode for _ in range(2)]
        server.shutdown()
    assert ends == [0, 1]
    assert subprocess.run(command, env=env, capture_output=True, check=False).returncode == 1, "nobody answers"


def test_it_is_labelled_and_has_this_release() -> None:
    release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"VERSION={release}" in instructions("ARG")
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', instructions("LABEL")[0]))
    wanted = {"title", "description", "licenses", "vendor", "version", "revision", "source", "url", "documentation"}
    assert set(labels) == wanted
    assert labels["licenses"] == "Apache-2.0"


def test_what_is_copied_into_it_is_not_ignored_and_nothing_else_is_sent() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = {
        word.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / path).exists() for path in sent)


def test_libraries_of_the_image_are_those_of_the_distribution() -> None:
    said = subprocess.run(
        [sys.executable, ROOT / "scripts/requirements.py"], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


# compose.yaml


def composed(compose: Path) -> dict[str, Any]:
    """As Docker Compose understands it."""
    command = [compose, "--file", ROOT / "compose.yaml", "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_compose_understands_it_and_everything_it_mounts_is_there(compose: Path) -> None:
    services = composed(compose)["services"]
    assert services.keys() == {"kafka", "flights", "exporter", "prometheus", "alertmanager", "grafana"}
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            assert volume["type"] == "volume" or (volume["read_only"] and Path(volume["source"]).exists()), name
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", f"{name} is open to the network"
        if "build" in service:
            assert re.search(rf"^FROM \w+ AS {service['build']['target']}$", DOCKERFILE, re.MULTILINE)
        else:
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), f"{name} is of no release"


def test_the_exporter_of_compose_reads_what_its_producer_writes(compose: Path, tmp_path: Path) -> None:
    services = composed(compose)["services"]
    exporter = services["exporter"]
    assert exporter["command"][:2] == ["run", "--config"]
    assert exporter["command"][2] == f"{services['flights']['command'][-1]}/flights/{CONFIG}"
    assert exporter["read_only"] is True
    from exporter.demo import prepare

    (tmp_path / CONFIG).write_text(prepare._CONFIG % {"threshold": 0.5})
    (tmp_path / prepare.REFERENCE).write_text("{}")
    found = load(tmp_path / CONFIG, exporter["environment"], "run")
    assert found.kafka is not None
    assert found.kafka.bootstrap_servers == ("kafka:9092",)
    assert str(found.web.listen) == ":9877"


def test_prometheus_of_compose_scrapes_it_loads_the_rules_and_tells_alertmanager(compose: Path) -> None:
    services = composed(compose)["services"]
    config = yaml.safe_load((ROOT / "deploy/prometheus.yaml").read_text())
    groups = [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
    asked = [target for one in groups for group in one["static_configs"] for target in group["targets"]]
    for target in asked:
        assert target.partition(":")[0] in services
    assert asked[0] == "exporter:9877"
    mounted = {volume["target"]: volume["source"] for volume in services["prometheus"]["volumes"]}
    for path in config["rule_files"]:
        folder, _, file = path.rpartition("/")
        assert (Path(mounted[folder]) / file).exists()


def test_grafana_of_compose_finds_datasource_and_dashboards(compose: Path) -> None:
    grafana = composed(compose)["services"]["grafana"]
    mounted = {volume["target"]: Path(volume["source"]) for volume in grafana["volumes"]}
    [source] = yaml.safe_load((ROOT / "deploy/grafana/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((ROOT / "deploy/grafana/dashboards/drift-exporter.yaml").read_text())["providers"]
    assert list(mounted[provider["options"]["path"]].glob("*.json"))


def test_alertmanager_of_compose_is_valid(amtool: Path) -> None:
    config = ROOT / "deploy/alertmanager.yaml"
    done = subprocess.run([amtool, "check-config", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
