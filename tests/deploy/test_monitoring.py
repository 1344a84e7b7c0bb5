"""The alert rules and the dashboard ask for what the processes really tell, and ring when the docs say so."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.processes import ROOT, Server, Valkey
from tests.programs import path_of

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "livethread.json"
_METRIC = re.compile(r"\blivethread_\w+")
_SAMPLE = re.compile(r"^(livethread_\w+)(?:\{(.*)\})? ", re.MULTILINE)
# Told once a task has died.
TASKS = {"livethread_task_deaths_total", "livethread_task_restarts_total"}

RINGING = """
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'livethread_redis_connected{instance="app"}', values: '1 1 0 0 0 1'}
      - {series: 'livethread_redis_connected{instance="gateway"}', values: '1 0 1 0 1 1'}
      - {series: 'livethread_poll_age_seconds{instance="gateway"}', values: '0 1 9 9 +Inf 0'}
      - {series: 'livethread_failed_groups_total{instance="app"}', values: '0 0 3 3 3 3'}
    alert_rule_test:
      - {eval_time: 2m, alertname: LivethreadRedisDown, exp_alerts: []}
      - eval_time: 4m
        alertname: LivethreadRedisDown
        exp_alerts: [{exp_labels: {severity: warning, instance: app}, exp_annotations: ANNOTATIONS[RedisDown]}]
      - {eval_time: 5m, alertname: LivethreadRedisDown, exp_alerts: []}
      - eval_time: 4m
        alertname: LivethreadAppUnreachable
        exp_alerts:
          - exp_labels: {severity: critical, instance: gateway}
            exp_annotations: ANNOTATIONS[AppUnreachable]
      - eval_time: 3m
        alertname: LivethreadCannotWrite
        exp_alerts: [{exp_labels: {severity: critical, instance: app}, exp_annotations: ANNOTATIONS[CannotWrite]}]
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, redis_server: Valkey) -> set[str]:
    """The names that an app and a gateway tell."""
    folder = tmp_path_factory.mktemp("told")
    with (
        Server(folder, LIVETHREAD_REDIS_URL=redis_server.url) as app,
        Server(folder, "gateway", LIVETHREAD_ORIGIN=app.origin, LIVETHREAD_REDIS_URL=redis_server.url) as gateway,
    ):
        pages = [httpx2.get(f"{one.origin}/metrics", trust_env=False).text for one in (app, gateway)]
    return {name for page in pages for name, _ in _SAMPLE.findall(page)} | TASKS


def test_every_metric_that_an_alert_or_the_dashboard_asks_for_is_told(told: set[str]) -> None:
    for path in (ALERTS, DASHBOARD):
        asked = set(_METRIC.findall(path.read_text(encoding="utf-8")))
        assert asked, path
        assert asked - told == set(), path


def test_every_alarm_of_the_docs_has_a_rule_and_a_panel() -> None:
    docs = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = docs.partition("| alarm | meaning | response |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    alarms = {name.removesuffix("_seconds") for row in rows for name in _METRIC.findall(row)}
    assert len(alarms) > 15
    rules, panels = ALERTS.read_text(encoding="utf-8"), DASHBOARD.read_text(encoding="utf-8")
    assert [name for name in alarms if name not in rules] == []
    # What is no figure over time, or is nothing to act on.
    aside = {"livethread_failed", "livethread_redis_refused_total", "livethread_malformed_requests_total",
             "livethread_cut_connections_total", "livethread_task_restarts_total"}  # fmt: skip
    assert {name for name in alarms if name not in panels} <= aside


def test_the_rules_are_sound_and_ring_when_they_should(tmp_path: Path) -> None:
    promtool = path_of(("promtool",), "no promtool: install prometheus")
    (tmp_path / "alerts.yml").write_bytes(ALERTS.read_bytes())
    (tmp_path / "ringing.yml").write_text(with_annotations(RINGING), encoding="utf-8")
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "ringing.yml"]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def with_annotations(text: str) -> str:
    """Put in what the rule itself says."""
    rules = ALERTS.read_text(encoding="utf-8")

    def of(found: re.Match[str]) -> str:
        rule = rules.partition(f"alert: Livethread{found[1]}\n")[2].partition("- alert")[0]
        summary, description = re.findall(r"(?:summary|description): (.*)", rule)
        return f"{{summary: {summary}, description: {description}}}"

    return re.sub(r"ANNOTATIONS\[(\w+)\]", of, text)


def test_the_dashboard_is_whole() -> None:
    board: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")"), panel["title"]
            assert "$instance" in target["expr"], panel["title"]
