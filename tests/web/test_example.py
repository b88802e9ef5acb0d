"""web-config.example.yaml is what both we and Prometheus' own tool accept, as it is and with everything in force."""

import re
import subprocess
from pathlib import Path

import yaml

from exporter.config import Kafka, WebFile, load_web
from exporter.web import Rules
from tests.services.authority import Authority
from tests.services.prometheus import StartPrometheus
from tests.services.promtool import Promtool
from tests.web.served import METRICS, client_context, served

EXAMPLE = Path(__file__).parent.parent.parent / "web-config.example.yaml"
NEWER = ("client_allowed_sans", "rate_limit", "interval", "burst")  # than Debian's promtool 2.42


def in_force(folder: Path, leave_out: tuple[str, ...] = ()) -> Path:
    """The example with everything that is commented out in it, and the files that it names."""
    text = re.sub(r"^#(?=[^ #\n]|  )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    lines = [line for line in text.splitlines() if not line.strip().startswith(leave_out or "\0")]
    (folder / "tls").mkdir()
    authority = Authority(folder / "tls", "clients-ca")
    authority.issue("server")
    path = folder / "web-config.yaml"
    path.write_text("\n".join(lines))
    return path


def accepted(promtool: Promtool, path: Path) -> str:
    done = subprocess.run([promtool.path, "check", "web-config", path], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr if done.returncode else ""


def test_the_example_is_accepted_as_it_is(promtool: Promtool) -> None:
    assert list(Rules.read(EXAMPLE).file.basic_auth_users) == ["prometheus"]
    assert accepted(promtool, EXAMPLE) == ""


def test_the_example_with_everything_in_force_is_accepted(promtool: Promtool, tmp_path: Path) -> None:
    assert accepted(promtool, in_force(tmp_path, NEWER)) == ""


def test_everything_of_the_example_is_in_force(tmp_path: Path) -> None:
    path = in_force(tmp_path)
    file = load_web(path)
    assert file.tls_server_config is not None
    assert file.tls_server_config.client_allowed_sans == ("prometheus.monitoring.svc",)
    assert (file.rate_limit.interval, file.rate_limit.burst) == (0.1, 20)
    authority = Authority(tmp_path / "tls", "clients-ca")  # another one, whose certificates are not known yet
    authority.issue("server")
    client = authority.issue("client", dns=["prometheus.monitoring.svc"])
    with served(path) as here:
        answer = here.get(verify=client_context(authority.file, client), auth=("prometheus", "example"))
        assert answer.content == METRICS
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_prometheus_scrapes_with_a_certificate_and_a_password(tmp_path: Path, prometheus: StartPrometheus) -> None:
    """As docs/security.md tells to."""
    path = in_force(tmp_path)
    authority = Authority(tmp_path / "tls", "clients-ca")
    authority.issue("server")
    certificate, key = authority.issue("client", dns=["prometheus.monitoring.svc"])
    tls = {"ca_file": str(authority.file), "cert_file": str(certificate), "key_file": str(key)}
    password = {"username": "prometheus", "password": "example"}
    with served(path) as here:
        how = {"scheme": "https", "tls_config": tls, "basic_auth": password}
        server = prometheus([f"127.0.0.1:{here.address[1]}"], how=how)
        [(_, value)] = server.wait_for("model_score")
        assert value == 1
        assert server.query("up") == server.query("up == 1")


def test_the_settings_on_the_page_about_security_are_accepted() -> None:
    page = (EXAMPLE.parent / "docs/security.md").read_text()
    found = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)]
    [tls] = [one for one in found if "tls_server_config" in one]
    [kafka] = [one["kafka"] for one in found if "kafka" in one]
    WebFile.model_validate(tls)
    Kafka.model_validate(kafka)
    for row in re.findall(r"`(sasl: \{.*?\})`", page):
        written = yaml.safe_load(row.replace("https://…", "https://idp.example").replace("…", "a"))
        Kafka.model_validate(kafka | written)
