"""The chart, rendered by Helm itself, as a cluster would take it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exporter.config import load
from exporter.generate.rules.files import write
from scripts import chart
from tests.config.folder import Folder
from tests.deploy.manifests import CHART, GOLDEN, ROOT, VALUES, Manifest, golden, only, refused, rendered
from tests.services.go_tools import Helm
from tests.test_rules import CONFIG as OTHER_WINDOWS

DEFAULT, EPHEMERAL = CHART / "ci/default-values.yaml", CHART / "ci/ephemeral-values.yaml"
COMPLETE, SECURED = CHART / "ci/complete-values.yaml", CHART / "ci/secured-values.yaml"
README = (CHART / "README.md").read_text()


def name(path: Path) -> str:
    return path.stem.removesuffix("-values")


def container(manifests: list[Manifest]) -> Manifest:
    found: Manifest = only(manifests, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    return found


def variables(manifests: list[Manifest]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(manifests)["env"]}


# What follows from other files follows from them.


def test_generated_parts_are_what_make_chart_writes() -> None:
    assert json.loads((CHART / "values.schema.json").read_text()) == chart.schema(), "make chart"
    assert chart.readme() == README, "make chart"
    for copy, original in chart.copies().items():
        assert copy.read_bytes() == original.read_bytes(), "make chart"
    dashboards = {path.name for path in (CHART / "files/dashboards").glob("*.json")}
    assert dashboards == {path.name for path in (ROOT / "grafana").glob("*.json")}


def test_every_value_has_its_line_in_the_readme_and_its_place_in_the_schema() -> None:
    described = [value.path for value in chart.values()]

    def leaves(section: dict[str, Any], at: str = "") -> set[str]:
        found = set()
        for key, value in section.items():
            path = f"{at}{key}"
            nested = isinstance(value, dict) and value and path not in described
            found |= leaves(value, f"{path}.") if nested else {path}
        return found

    assert leaves(yaml.safe_load((CHART / "values.yaml").read_text())) == set(described)
    assert re.findall(r"^\| `([\w.]+)` \|", README, re.MULTILINE) == described


def test_the_schema_is_one_and_takes_the_defaults() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load((CHART / "values.yaml").read_text()), schema, jsonschema.Draft7Validator)


def test_the_chart_installs_this_release() -> None:
    from exporter import __version__

    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == __version__


# What Helm and a cluster say.


def test_helm_finds_nothing_to_complain_about(any_helm: Helm) -> None:
    for words in ((), *(("-f", values) for values in VALUES)):
        done = any_helm.lint(CHART, *words)
        assert done.returncode == 0, done.stdout
        assert not re.search(r"\[(WARNING|ERROR)\]", done.stdout), done.stdout


@pytest.mark.parametrize("kubernetes", ["1.25.0", "1.31.0", "1.37.0"])
@pytest.mark.parametrize("values", VALUES, ids=name)
def test_a_cluster_takes_every_manifest(helm: Helm, values: Path, kubernetes: str) -> None:
    manifests = rendered(helm, "-f", values, kubernetes=kubernetes)
    assert len(manifests) >= 3
    for manifest in manifests:
        assert refused(manifest, kubernetes) == "", manifest


def test_what_a_cluster_would_not_take_is_noticed(helm: Helm) -> None:
    manifests = rendered(helm, "-f", COMPLETE)
    for kind, place in {
        "StatefulSet": ("spec", "template", "spec"),
        "NetworkPolicy": ("spec",),
        "PodDisruptionBudget": ("spec",),
        "ServiceMonitor": ("spec", "endpoints", 0),
        "PrometheusRule": ("spec", "groups", 0),
    }.items():
        manifest: Any = only(manifests, kind)
        section = manifest
        for key in place:
            section = section[key]
        section["replcas"] = 1
        assert refused(manifest, "1.31.0") != "", kind


@pytest.mark.parametrize("values", VALUES, ids=name)
def test_a_render_is_the_committed_one(any_helm: Helm, values: Path) -> None:
    committed = (GOLDEN / f"{name(values)}.yaml").read_text()
    assert golden(any_helm, values) == committed, "look at it, then run python -m tests.deploy.update"


WRONG = [
    ("replicas=-1", "/replicas"),
    ("replicas=two", "/replicas"),
    ("replica=2", "additional properties 'replica' not allowed"),
    ("serviceMonitor.enable=true", "/serviceMonitor"),
    ("serviceMonitor.interval=15", "/serviceMonitor/interval"),
    ("serviceMonitor.interval=often", "/serviceMonitor/interval"),
    ("web.port=70000", "/web/port"),
    ("web.scheme=https", "/web/scheme"),
    ("persistence.size=1GB", "/persistence/size"),
    ("persistence.accessModes[0]=ReadOnlyMany", "/persistence/accessModes/0"),
    ("persistence.whenDeleted=Keep", "/persistence/whenDeleted"),
    ("image.digest=latest", "/image/digest"),
    ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
    ("logLevel=trace", "/logLevel"),
    ("terminationGracePeriodSeconds=1", "/terminationGracePeriodSeconds"),
    ("podDisruptionBudget.maxUnavailable=half", "/podDisruptionBudget/maxUnavailable"),
    ("networkPolicy.kafkaPorts[0]=kafka", "/networkPolicy/kafkaPorts/0"),
    ("podLabels.version=2", "/podLabels/version"),
    ("extraArgs[0]=run", "/extraArgs/0"),
    ("config.models.flight-delay.task=binry", "/config/models/flight-delay/task"),
    ("config.kafka.bootstrap_server=kafka:9092", "/config/kafka"),
    ("podMonitor.enabled=true,serviceMonitor.enabled=true", "would scrape the same pod twice"),
    ("web.probeCertificate=probe.crt", "go together"),
    ("web.probeCertificate=a,web.probeKey=b,web.existingSecret=c", "web.scheme: HTTPS"),
    ("web.probeKey=b,web.existingSecret=c,web.scheme=HTTPS", "go together"),
    ("existingSecret=other", "three ways to say the same"),
    ("config=null", "say what to watch"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG)
def test_a_wrong_value_is_refused_and_named(helm: Helm, wrong: str, said: str) -> None:
    done = helm.template(CHART, "-f", DEFAULT, "--set", wrong)
    assert done.returncode != 0, "it was taken"
    assert said in done.stderr


def test_every_helm_refuses_them_in_its_own_words(any_helm: Helm) -> None:
    taken = [wrong for wrong, _ in WRONG if any_helm.template(CHART, "-f", DEFAULT, "--set", wrong).returncode == 0]
    assert taken == []


def test_an_old_cluster_is_refused(any_helm: Helm) -> None:
    done = any_helm.template(CHART, "-f", DEFAULT, kubernetes="1.24.0")
    assert "incompatible with Kubernetes" in done.stderr


# What it means.


@pytest.mark.parametrize("values", [DEFAULT, COMPLETE, SECURED], ids=name)
def test_the_exporter_reads_the_configuration_that_the_chart_writes(helm: Helm, values: Path, tmp_path: Path) -> None:
    manifests = rendered(helm, "-f", values)
    [config] = [one for one in manifests if one["kind"] == "ConfigMap" and "config.yaml" in one.get("data", {})]
    (tmp_path / "config.yaml").write_text(config["data"]["config.yaml"])
    env = {name: value for name, value in variables(manifests).items() if not name.endswith("_FILE")} | {
        "BROKERS": "kafka:9092"
    }
    if values == SECURED:
        (tmp_path / "password").write_text("secret")
        env["DRIFT_EXPORTER__KAFKA__SASL__PASSWORD_FILE"] = str(tmp_path / "password")
    found = load(tmp_path / "config.yaml", env, "read")
    assert found.kafka is not None
    assert str(found.state.path) == "/var/lib/drift-exporter/state"
    assert str(found.web.listen) == ":9877"
    if values == COMPLETE:
        assert found.kafka.bootstrap_servers == ("kafka:9092",)
        assert found.models["flight-delay"].labels.capacity == 50_000_000
        assert found.topics["flights.predictions"].fields.version is None, "a null that was written stays one"


def test_nothing_is_written_but_on_the_state_volume_and_nothing_runs_as_root(helm: Helm) -> None:
    for values in VALUES:
        pod = only(rendered(helm, "-f", values), "StatefulSet")["spec"]["template"]["spec"]
        main = pod["containers"][0]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert main["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False
        own = [mount for mount in main["volumeMounts"] if mount["mountPath"] != "/tmp"]
        assert [mount["mountPath"] for mount in own if not mount.get("readOnly")] == ["/var/lib/drift-exporter"]
        assert not any("subPath" in mount for mount in main["volumeMounts"]), "a subPath never sees a change"


def test_another_configuration_restarts_the_pods(helm: Helm) -> None:
    def checksum(*words: object) -> str:
        pod = only(rendered(helm, "-f", DEFAULT, *words), "StatefulSet")["spec"]["template"]
        found: str = pod["metadata"]["annotations"]["checksum/config"]
        return found

    assert checksum() == checksum("--set", "replicas=2")
    assert checksum() != checksum("--set", "config.evaluate_every=30s")
    assert checksum() != checksum("--set", "references.files.a\\.json=text")


def test_secrets_come_as_files_and_never_as_values(helm: Helm) -> None:
    manifests = rendered(helm, "-f", SECURED)
    assert [manifest["kind"] for manifest in manifests if manifest["kind"] == "Secret"] == []
    mounted = {mount["mountPath"]: mount for mount in container(manifests)["volumeMounts"]}
    for variable, value in variables(manifests).items():
        if variable.endswith("_FILE"):
            assert mounted[str(Path(value).parent)]["readOnly"] is True
    assert {key.removeprefix("DRIFT_EXPORTER__") for key in variables(manifests)} >= {
        "KAFKA__TLS__CA_FILE",
        "KAFKA__TLS__CERT_FILE",
        "KAFKA__TLS__KEY_FILE",
        "KAFKA__SASL__PASSWORD_FILE",
        "WEB__CONFIG_FILE",
    }


def test_alerts_can_be_left_out_by_name_and_the_others_are_the_generated_ones(helm: Helm) -> None:
    def alerts(groups: list[dict[str, Any]]) -> list[str]:
        return [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]

    generated = yaml.safe_load((ROOT / "prometheus/rules.yaml").read_text())["groups"]
    on = ("-f", DEFAULT, "--set", "prometheusRule.enabled=true")
    assert only(rendered(helm, *on), "PrometheusRule")["spec"]["groups"] == generated
    first, *others = alerts(generated)
    fewer = only(rendered(helm, *on, "--set", f"prometheusRule.disable={{{first}}}"), "PrometheusRule")["spec"][
        "groups"
    ]
    assert alerts(fewer) == others


def test_alerts_of_ones_own_configuration_take_the_place_of_the_generated_ones(helm: Helm, tmp_path: Path) -> None:
    write(tmp_path, Folder(tmp_path).load(OTHER_WINDOWS))
    written = yaml.safe_load((tmp_path / "rules.yaml").read_text())["groups"]
    given = ("--set-file", f"prometheusRule.rules={tmp_path}/rules.yaml")
    on = ("-f", DEFAULT, "--set", "prometheusRule.enabled=true", *given)
    assert only(rendered(helm, *on), "PrometheusRule")["spec"]["groups"] == written
    assert 'window="12h"' in str(written)
    (tmp_path / "rules.yaml").write_text("rules.yaml")
    assert "use --set-file" in helm.template(CHART, *on).stderr


def test_dashboards_reach_grafana_as_they_are_and_fit_into_configmaps(helm: Helm) -> None:
    manifests = rendered(helm, "-f", DEFAULT, "--set", "dashboards.enabled=true")
    found = {}
    for manifest in manifests:
        if manifest["metadata"].get("labels", {}).get("grafana_dashboard") == "1":
            assert len(json.dumps(manifest)) < 1 << 20, "more than a ConfigMap takes"
            found |= manifest["data"]
    assert found == {path.name: path.read_text() for path in (ROOT / "grafana").glob("*.json")}
    assert found


def test_notes_say_what_is_missing(helm: Helm, tmp_path: Path) -> None:
    """Helm shows them only where a cluster answers, so a copy of the chart has them as a manifest."""
    copy = tmp_path / "drift-exporter"
    shutil.copytree(CHART, copy)
    shutil.copy(CHART / "templates/NOTES.txt", copy / "notes.txt")
    (copy / "templates/shown.yaml").write_text('notes: {{ tpl (.Files.Get "notes.txt") . | quote }}\n')

    def notes(values: Path, *words: str) -> str:
        done = helm.template(copy, "-f", values, *words, "--show-only", "templates/shown.yaml")
        assert done.returncode == 0, done.stderr
        text: str = yaml.safe_load(done.stdout)["notes"]
        return text

    assert "port-forward svc/my-drift-exporter 9877" in notes(DEFAULT)
    assert "my-drift-exporter 9443" in notes(DEFAULT, "--set", "web.port=9443"), "a headless service translates no port"
    assert "Nothing scrapes it yet" in notes(DEFAULT)
    assert "Nobody is told of drift yet" in notes(DEFAULT)
    assert "ends with the pod" in notes(EPHEMERAL)
    assert "check --connect --config /etc/drift-exporter/production.yaml" in notes(EPHEMERAL)
    assert "https://localhost" in notes(SECURED)
    complete = notes(COMPLETE)
    assert "Its 2 replicas are independent copies" in complete
    assert "yet" not in complete
    assert "cannot fire" not in complete
    own = "groups: [{name: ours, rules: [{record: a, expr: b}]}]"
    other = ("--set", "config.windows={30m,24h}")
    assert "they look at windows of 1h and 24h, and yours are 30m, 24h" in notes(COMPLETE, *other)
    assert "cannot fire" not in notes(COMPLETE, *other, "--set-json", f"prometheusRule.rules={json.dumps(own)}")


def test_the_chart_packs_without_the_tests_values(any_helm: Helm, tmp_path: Path) -> None:
    assert any_helm.package(CHART, tmp_path).returncode == 0
    [packed] = tmp_path.glob("*.tgz")
    files = subprocess.run(["tar", "-tzf", packed], capture_output=True, text=True, check=True).stdout.split()
    assert "drift-exporter/values.schema.json" in files
    assert not [file for file in files if "/ci/" in file]


# The sidecar.


def test_the_sidecar_snippet_is_valid_and_cannot_take_its_pod_down() -> None:
    snippet = yaml.safe_load((ROOT / "docs/examples/sidecar/deployment.yaml").read_text())
    assert refused(snippet, "1.31.0") == ""
    server, sidecar = snippet["spec"]["template"]["spec"]["containers"]
    assert "readinessProbe" in server
    assert "readinessProbe" not in sidecar, "a sidecar that is not ready takes its model's pod out of its service"
    assert sidecar["resources"]["limits"].keys() == {"memory"}
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    pods = {key: value for key, value in defaults["podSecurityContext"].items() if not key.startswith("fsGroup")}
    assert sidecar["securityContext"] == defaults["securityContext"] | pods, "the pod's own are its owner's"
    told = (ROOT / "docs/examples/sidecar/README.md").read_text()
    assert "readiness" in told


def test_yaml_is_tidy() -> None:
    linter = [Path(sys.executable).with_name("yamllint"), "--strict", "--config-file", ROOT / ".yamllint"]
    files = [path for path in CHART.rglob("*.yaml") if path.parent.name != "templates" and path.name != "rules.yaml"]
    files += [ROOT / "compose.yaml", *ROOT.glob("docs/examples/**/*.yaml"), *ROOT.glob("deploy/**/*.yaml")]
    done = subprocess.run([*linter, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
