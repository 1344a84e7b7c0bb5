"""The manifests of deploy/kubernetes: right by the schemas, right for this program, and of one piece."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from server import settings
from tests.processes import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
# The oldest that knows all of it, and the newest that is known here.
VERSIONS = ("1.30", kubernetes_validate.latest_version())


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


FILES = sorted(file for file in FOLDER.glob("*.yaml") if file.name != "kustomization.yaml")
MANIFESTS = {f"{one['kind']} {one['metadata']['name']}": one for file in FILES for one in documents(file)}
(KUSTOMIZATION,) = documents(FOLDER / "kustomization.yaml")
POD_OWNERS = [name for name in MANIFESTS if name.split()[0] in ("StatefulSet", "Deployment")]


def pod(name: str) -> dict[str, Any]:
    return dict(MANIFESTS[name]["spec"]["template"]["spec"])


def is_chosen(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_right_by_the_schema(name: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_a_misspelt_field_would_be_found() -> None:
    wrong = {**MANIFESTS["StatefulSet livethread"], "sepc": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_the_kustomization_names_every_file() -> None:
    assert sorted(KUSTOMIZATION["resources"]) == [file.name for file in FILES]
    assert {one["name"] for one in KUSTOMIZATION["images"]} == {"livethread"}


def test_what_it_sets_are_settings_that_can_be_used() -> None:
    literals = dict(one.split("=", 1) for one in KUSTOMIZATION["configMapGenerator"][0]["literals"])
    for name in POD_OWNERS:
        for container in pod(name)["containers"]:
            literals |= {one["name"]: one["value"] for one in container.get("env", ())}
    given = {"LIVETHREAD_SECRET": "x" * 32, **literals}
    assert settings.ignored(given) == []
    read = settings.read(given)
    assert read.origin == literals["LIVETHREAD_ORIGIN"]
    # Names that lead to another service's port are found by what this program is told, and by nothing else.
    services = {one["metadata"]["name"]: one for name, one in MANIFESTS.items() if name.startswith("Service ")}
    for address in (literals["LIVETHREAD_REDIS_URL"], literals["LIVETHREAD_APP_URL"]):
        found = re.fullmatch(r"\w+://(\w+):(\d+)", address)
        assert found
        assert int(found[2]) in [port["port"] for port in services[found[1]]["spec"]["ports"]]


@pytest.mark.parametrize("name", POD_OWNERS)
def test_a_pod_has_no_rights_and_can_write_where_it_must(name: str) -> None:
    spec = pod(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    volumes = {one["name"] for one in spec.get("volumes", ())}
    volumes |= {one["metadata"]["name"] for one in MANIFESTS[name]["spec"].get("volumeClaimTemplates", ())}
    for container in spec["containers"]:
        rights = container["securityContext"]
        assert (rights["allowPrivilegeEscalation"], rights["readOnlyRootFilesystem"]) == (False, True)
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert {one["name"] for one in container["volumeMounts"]} <= volumes
        ports = {one["name"] for one in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for how in ("httpGet", "tcpSocket"):
                assert container.get(probe, {}).get(how, {"port": next(iter(ports))})["port"] in ports


@pytest.mark.parametrize("name", ["StatefulSet livethread", "Deployment gateway"])
def test_a_pod_of_ours_is_the_image_and_is_given_time_to_end(name: str) -> None:
    spec, image = pod(name), (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (container,) = spec["containers"]
    assert container["image"] == "livethread"
    assert f"--uid {spec['securityContext']['runAsUser']} " in image
    assert f"LIVETHREAD_PORT={container['ports'][0]['containerPort']}" in image
    assert "VOLUME /data" in image
    assert {"/data", "/tmp"} == {one["mountPath"] for one in container["volumeMounts"]}
    assert spec["terminationGracePeriodSeconds"] >= 45
    # `LIVETHREAD_PORT=tcp://…` of a service would be taken for a setting.
    assert spec["enableServiceLinks"] is False
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"


def test_the_database_has_one_owner_and_a_replaced_gateway_leaves_no_gap() -> None:
    app = MANIFESTS["StatefulSet livethread"]["spec"]
    assert app["replicas"] == 1
    (claim,) = app["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    gateways = MANIFESTS["Deployment gateway"]["spec"]
    assert gateways["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert gateways["template"]["spec"]["containers"][0]["args"] == ["gateway"]


def test_every_selector_chooses_the_pods_that_it_is_meant_for() -> None:
    labels = {name: MANIFESTS[name]["spec"]["template"]["metadata"]["labels"] for name in POD_OWNERS}
    for name in POD_OWNERS:
        assert is_chosen(MANIFESTS[name]["spec"]["selector"]["matchLabels"], labels[name])
    chosen = {
        "Service livethread": ["StatefulSet livethread"],
        "Service gateway": ["Deployment gateway"],
        "Service valkey": ["Deployment valkey"],
        "PodDisruptionBudget gateway": ["Deployment gateway"],
        "NetworkPolicy livethread": ["Deployment gateway", "StatefulSet livethread"],
        "NetworkPolicy valkey": ["Deployment valkey"],
    }
    for name, wanted in chosen.items():
        spec = MANIFESTS[name]["spec"]
        selector = spec.get("selector") or spec["podSelector"]
        selector = selector.get("matchLabels", selector)
        assert sorted(owner for owner, its in labels.items() if is_chosen(selector, its)) == wanted, name
    assert MANIFESTS["StatefulSet livethread"]["spec"]["serviceName"] == "livethread"


def test_sockets_go_to_the_gateways_and_all_else_to_the_app() -> None:
    ingress = MANIFESTS["Ingress livethread"]["spec"]
    (rule,) = ingress["rules"]
    paths = [(one["path"], one["pathType"], one["backend"]["service"]["name"]) for one in rule["http"]["paths"]]
    assert paths == [("/live", "Exact", "gateway"), ("/", "Prefix", "livethread")]
    literals = KUSTOMIZATION["configMapGenerator"][0]["literals"]
    assert f"LIVETHREAD_ORIGIN=https://{rule['host']}" in literals
    assert ingress["tls"][0]["hosts"] == [rule["host"]]
