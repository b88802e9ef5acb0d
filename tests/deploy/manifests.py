"""What Kubernetes and the Prometheus operator accept, by their own schemas, and how the golden renders are made."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.services.go_tools import Helm

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "helm/drift-exporter"
GOLDEN = Path(__file__).parent / "golden"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))

Manifest = dict[str, Any]


@cache
def operator() -> Any:
    """The resources of the Prometheus operator, by kind."""
    subprocess.run([ROOT / "scripts/operator-models.sh"], check=True)
    sys.path.append(str(ROOT / os.environ.get("DRIFT_EXPORTER_CACHE", ".cache") / "operator-models"))
    from cloudcoil.models.prometheus_operator import v1

    return v1


def refused(manifest: Manifest, kubernetes: str) -> str:
    """Why a cluster of this version would not take the manifest, unknown fields included; "" where it would."""
    if manifest["apiVersion"].startswith("monitoring.coreos.com/"):
        model = getattr(operator(), manifest["kind"])
        try:
            understood = model.model_validate(manifest).model_dump(by_alias=True, exclude_unset=True, mode="json")
        except ValueError as error:
            return str(error)
        return "" if understood == manifest else "the operator's resource has no such field"  # it would drop it
    try:
        kubernetes_validate.validate(manifest, kubernetes, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error.message)
    return ""


def rendered(helm: Helm, *words: object, kubernetes: str = "1.31.0") -> list[Manifest]:
    """What Helm would send to the cluster."""
    done = helm.template(CHART, *words, kubernetes=kubernetes)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest is not None]


def golden(helm: Helm, values: Path) -> str:
    """The text of a render, with what the generated files bring cut short."""
    manifests = rendered(helm, "-f", values)
    for manifest in manifests:
        if manifest["kind"] == "PrometheusRule":
            for group in manifest["spec"]["groups"][:-1]:
                group["rules"] = ["…"]
        if manifest["metadata"].get("labels", {}).get("grafana_dashboard"):
            manifest["data"] = dict.fromkeys(manifest["data"], "…")
    return "---\n".join(
        yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=120) for manifest in manifests
    )


def only(manifests: list[Manifest], kind: str) -> Manifest:
    """The one manifest of a kind."""
    [found] = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found
