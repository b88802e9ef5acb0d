"""The dashboards hold to the catalogue and to what Grafana's own dashboard-linter asks for."""

import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import promql_parser as promql
import pytest
from click.testing import CliRunner
from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter import config
from exporter.catalogue import METRICS
from exporter.cli import main
from exporter.generate import dashboards as uids
from exporter.generate.dashboards import panels as plain
from exporter.generate.dashboards.expressions import Scope
from exporter.generate.dashboards.files import boards
from exporter.generate.dashboards.grafana import rendered
from tests.grafana import (
    FILES,
    asked_for,
    dashboards,
    kind_of,
    labels_of,
    panels,
    parsed,
    selectors,
    targets,
    variables,
)

BOARDS = dashboards()
PANELS = [(board, panel) for board in BOARDS.values() for panel in panels(board)]
EVERY_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
MANY_MODELS = (uids.FLEET, uids.MODEL, uids.FEATURE)


def test_the_committed_dashboards_are_what_generate_writes(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["generate", "dashboards", "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in FILES}, "drift-exporter generate dashboards; make chart"


def test_there_are_the_four_and_their_names_stay() -> None:
    assert set(BOARDS) == {
        "drift-exporter-fleet",
        "drift-exporter-model",
        "drift-exporter-feature",
        "drift-exporter-own",
    }
    assert {path.name for path in FILES} == {f"{uid}.json" for uid in BOARDS}


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.startswith("grafana_foundation_sdk")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk.builders", None)
    for name in ("files", "grafana"):
        monkeypatch.delitem(sys.modules, f"exporter.generate.dashboards.{name}")
    done = CliRunner().invoke(main, ["generate", "dashboards", "-o", str(tmp_path)])
    assert done.exit_code == 1
    assert "pip install 'drift-exporter[generate]'" in done.output
    assert not list(tmp_path.iterdir())


# The queries


@EVERY_BOARD
def test_every_metric_and_label_of_a_query_is_in_the_catalogue(board: Any) -> None:
    for target in targets(board):
        found = list(selectors(target.expr))
        assert found
        for selector, around in found:
            known = labels_of(selector.name)  # KeyError: no such metric
            assert {matcher.name for matcher in selector.matchers.matchers} <= known
            told = {label for one in around for label in grouping(one)}
            assert told <= known | {"score", "figure"}, "a label that series of this name do not have"


def test_every_metric_of_the_catalogue_is_shown_somewhere() -> None:
    exprs = " ".join(target.expr for board in BOARDS.values() for target in targets(board))
    shown = {re.sub("_bucket$", "", name) for name in re.findall(r"\b(?:model|drift_exporter)_\w+(?={)", exprs)}
    assert set(METRICS) - shown == set()


def grouping(one: promql.Expr) -> list[str]:
    modifier = getattr(one, "modifier", None)
    if isinstance(one, promql.AggregateExpr) and modifier is not None:
        return list(modifier.labels)
    return []


@EVERY_BOARD
def test_copies_of_the_exporter_do_not_add_up(board: Any) -> None:
    for target in targets(board):
        for selector, around in selectors(target.expr):
            first = next(one for one in reversed(around) if isinstance(one, promql.AggregateExpr))
            assert str(first.op) == ("count" if selector.name == "ALERTS" else "max"), target


@EVERY_BOARD
def test_counters_are_seen_as_rates_and_gauges_never(board: Any) -> None:
    for target in targets(board):
        for selector, around in selectors(target.expr):
            called = {one.func.name for one in around if isinstance(one, promql.Call)}
            cumulative = kind_of(selector.name) in ("counter", "histogram")
            assert bool(called & {"rate", "increase"}) == cumulative, selector.name


@EVERY_BOARD
def test_a_rate_is_over_the_interval_that_fits_the_scrapes(board: Any) -> None:
    for target in targets(board):
        ranges = set(re.findall(r"\[([^]]+)\]", target.expr))
        assert ranges <= {"$__rate_interval", "$__range"}
        if re.search(r"\b(rate|increase)\(", target.expr):
            assert "$__rate_interval" in ranges


@EVERY_BOARD
def test_a_query_keeps_to_the_chosen_job(board: Any) -> None:
    for target in targets(board):
        for selector, _ in selectors(target.expr):
            if selector.name != "ALERTS":
                assert re.search(rf'{selector.name}\{{job=~"\$job"', target.expr)


@EVERY_BOARD
def test_a_query_uses_the_variables_that_there_are(board: Any) -> None:
    for target in targets(board):
        names = set(re.findall(r"\$(\w+)", target.expr)) - {"__rate_interval", "__range", "__interval"}
        assert names <= set(variables(BOARDS[target.dashboard]))


def test_a_name_or_label_that_the_catalogue_lacks_is_refused() -> None:
    scope = Scope({"model": "$model"})
    with pytest.raises(KeyError):
        scope.of("model_drift_scores")
    with pytest.raises(ValueError, match="has no label feature"):
        scope.of("model_drift_score", feature="x")
    with pytest.raises(ValueError, match="has no label feature"):
        scope.of("model_drift_score", by=["feature"])
    with pytest.raises(ValueError, match="has no _bucket"):
        scope.buckets("model_drift_score")


# The linter's rules: https://github.com/grafana/dashboard-linter, docs/rules


@EVERY_BOARD
def test_a_dashboard_can_be_provisioned_and_found_again(board: Any) -> None:
    assert board["id"] is None
    assert "__inputs" not in board
    assert "__requires" not in board
    assert re.fullmatch(r"[a-z0-9-]{1,40}", board["uid"])
    assert board["editable"] is False
    assert board["timezone"] == "utc"
    assert board["tags"] == ["drift-exporter"]
    assert board["schemaVersion"] == 41
    assert board["title"]
    assert board["description"]


@EVERY_BOARD
def test_the_library_reads_back_what_was_written(board: Any) -> None:
    read = Dashboard.from_json(board)
    assert read.uid == board["uid"]
    assert [panel.title for panel in read.panels] == [panel["title"] for panel in board["panels"]]


@EVERY_BOARD
def test_the_first_variable_is_the_data_source(board: Any) -> None:
    first = board["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
    assert first["label"] == "Data source"


@EVERY_BOARD
def test_jobs_and_instances_may_be_several_or_all(board: Any) -> None:
    found = variables(board)
    several = {name for name, one in found.items() if one.get("multi")}
    assert several == {"job"} | {uids.OWN: {"instance"}, uids.FLEET: {"model"}}.get(board["uid"], set())
    for name in several:
        assert found[name]["includeAll"] is True
        assert found[name]["allValue"] == ".+"
        assert found[name]["current"]["value"] == "$__all"


@EVERY_BOARD
def test_a_variable_looks_its_values_up_each_time_the_range_changes(board: Any) -> None:
    before = set()
    for name, one in variables(board).items():
        if one["type"] == "query":
            series, label = asked_for(one)
            [(selector, _)] = selectors(series)
            assert label in labels_of(selector.name)
            assert {matcher.name for matcher in selector.matchers.matchers} <= labels_of(selector.name)
            assert set(re.findall(r"\$(\w+)", series)) <= before, "only what was chosen before it"
            assert one["refresh"] == 2
            assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert one["label"]
        before.add(name)


@EVERY_BOARD
def test_a_panel_says_what_it_shows_and_in_which_unit(board: Any) -> None:
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]


@EVERY_BOARD
def test_a_panel_asks_the_chosen_data_source(board: Any) -> None:
    for panel in panels(board):
        chosen = {"type": "prometheus", "uid": "${datasource}"}
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])


@EVERY_BOARD
def test_queries_of_a_panel_have_letters_of_their_own(board: Any) -> None:
    for panel in panels(board):
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == [chr(ord("A") + number) for number in range(len(letters))]


@EVERY_BOARD
def test_several_series_of_a_graph_can_be_told_apart(board: Any) -> None:
    for panel in panels(board):
        if panel["type"] not in ("timeseries", "state-timeline", "bargauge", "heatmap"):
            continue
        legends = [target.get("legendFormat", "") for target in panel["targets"]]
        assert all(legends)
        assert len(set(legends)) == len(legends)
        for target in panel["targets"]:
            told = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert set(grouping(outermost(target["expr"]))) - {"revision"} <= told, target["expr"]


@EVERY_BOARD
def test_panels_fill_the_grid_and_none_lies_on_another(board: Any) -> None:
    cells: Counter[tuple[int, int]] = Counter()
    for panel in board["panels"]:
        for one in (panel, *panel.get("panels", ())):
            at = one["gridPos"]
            assert at["x"] + at["w"] <= 24
            cells.update((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"]))
    assert max(cells.values()) == 1
    numbers = [one["id"] for panel in board["panels"] for one in (panel, *panel.get("panels", ()))]
    assert numbers == list(range(1, len(numbers) + 1))


@EVERY_BOARD
def test_alerts_are_marked_in_the_graphs(board: Any) -> None:
    [alerts] = board["annotations"]["list"]
    [(selector, _)] = selectors(alerts["expr"])
    assert selector.name == "ALERTS"
    assert 'alertstate="firing"' in alerts["expr"]
    assert set(re.findall(r"\$(\w+)", alerts["expr"])) <= set(variables(board))
    assert alerts["datasource"]["uid"] == "${datasource}"


# From one to the other


def links(board: Any) -> list[tuple[str, str]]:
    """(panel, address) of everything to click on."""
    found = []
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"].get("links", [])
        overrides = (
            p for o in panel["fieldConfig"].get("overrides", ()) for p in o["properties"] if p["id"] == "links"
        )
        every = (*defaults, *(link for one in overrides for link in one["value"]))
        found.extend((panel["title"], link["url"]) for link in every)
    return found


def test_a_row_of_the_fleet_leads_to_its_model_and_a_feature_of_a_model_to_the_feature() -> None:
    assert ("Models, worst first", f"/d/{uids.MODEL}") in paths(uids.FLEET)
    assert ("Features, worst first", f"/d/{uids.FEATURE}") in paths(uids.FLEET)
    assert ("Features, worst first", f"/d/{uids.FEATURE}") in paths(uids.MODEL)
    assert ("Caught up", f"/d/{uids.OWN}") in paths(uids.FLEET)


def paths(uid: str) -> set[tuple[str, str]]:
    return {(panel, urlsplit(url).path) for panel, url in links(BOARDS[uid])}


@pytest.mark.parametrize("uid", MANY_MODELS)
def test_a_link_leads_to_a_dashboard_and_passes_what_that_one_lets_choose(uid: str) -> None:
    here = BOARDS[uid]
    for panel, url in links(here):
        there = BOARDS[urlsplit(url).path.removeprefix("/d/")]
        given = url.partition("?")[2].split("&")
        passed = {name for name, _ in parse_qsl(url.partition("?")[2])} | set(re.findall(r"\${(\w+):queryparam}", url))
        passed = {name.removeprefix("var-") for name in passed}
        assert given[-1] == "${__url_time_range}"
        assert passed - {"${__url_time_range}"} <= set(variables(there)), panel
        assert {"datasource", "job"} <= passed
        if panel != "Alerts that fire" and there["uid"] in (uids.MODEL, uids.FEATURE):
            assert {"model", "model_version", "window"} <= passed
        used = set(re.findall(r"\${(\w+):queryparam}", url))
        assert used <= set(variables(here)), "a variable that this dashboard does not have"
        columns = set(re.findall(r"\${__data\.fields\.(\w+):percentencode}", url))
        renamed = next(p for p in panels(here) if p["title"] == panel).get("transformations", [])
        known = {name for one in renamed for name in one["options"].get("renameByName", {})}
        assert columns <= known, "a column that this table does not have"


@EVERY_BOARD
def test_each_dashboard_lists_the_others(board: Any) -> None:
    [link] = board["links"]
    assert link["type"] == "dashboards"
    assert link["tags"] == board["tags"]
    assert link["includeVars"] is True
    assert link["keepTime"] is True


@EVERY_BOARD
def test_a_table_names_every_column_and_hides_the_rest(board: Any) -> None:
    for panel in panels(board):
        if panel["type"] != "table":
            continue
        merge, organize = panel["transformations"]
        assert (merge["id"], organize["id"]) == ("merge", "organize")
        values = {f"Value #{t['refId']}" for t in panel["targets"]} if len(panel["targets"]) > 1 else {"Value"}
        options = organize["options"]
        labels = {label for t in panel["targets"] for label in grouping(outermost(t["expr"]))}
        assert set(options["renameByName"]) | set(options["excludeByName"]) == values | labels | {"Time"}
        assert not set(options["renameByName"]) & set(options["excludeByName"])
        assert panel["options"]["sortBy"][0]["displayName"] in options["renameByName"].values()
        named = {o["matcher"]["options"] for o in panel["fieldConfig"].get("overrides", ())}
        assert named <= set(options["renameByName"].values())


def outermost(expr: str) -> promql.Expr:
    """The aggregation that decides which labels the result has."""
    one = parsed(expr)
    while not isinstance(one, promql.AggregateExpr) or str(one.op) == "topk":
        if isinstance(one, promql.BinaryExpr):
            many = "group_right" in expr or not isinstance(one.lhs, promql.AggregateExpr | promql.BinaryExpr)
            one = one.rhs if many else one.lhs
        else:
            one = one.expr
    return one


def test_every_value_of_a_table_keeps_the_labels_that_join_its_rows() -> None:
    for board, panel in PANELS:
        if panel["type"] == "table":
            sets = [set(grouping(outermost(target["expr"]))) for target in panel["targets"]]
            shared = set.intersection(*sets)
            assert shared, f"{board['uid']}: {panel['title']}"
            assert all(len(one - shared) <= 1 for one in sets)


# What a configuration leaves out


@pytest.fixture
def settings(tmp_path: Path) -> config.Config:
    text = """
topics: {predictions: {role: predictions}}
models: {one: {task: binary, reference: one.json}}
windows: [1h, 6h, 7d]
metrics:
  disable: [model_feature_psi, model_log_loss, model_brier_score, model_reference_log_loss, model_reference_brier_score]
"""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return config.load(path, environ={}, purpose="read")


def test_with_a_configuration_there_is_nothing_that_it_has_no_use_for(settings: config.Config) -> None:
    found = boards(settings)
    exprs = [query.expr for board in found for row in board.rows for panel in row.panels for query in panel.queries]
    assert exprs
    assert not [expr for expr in exprs if re.search(r"model_feature_psi\{|log_loss|brier_score", expr)]
    titles = [panel.title for board in found for row in board.rows for panel in row.panels]
    assert "Log-loss and Brier score" not in titles
    assert "Mean error" not in titles
    assert "Accuracy, and how much of it is known" in titles
    assert all(panel.queries for board in found for row in board.rows for panel in row.panels)
    for board in found:
        assert rendered(board)


def test_the_window_at_first_is_the_middle_one_of_the_configuration(settings: config.Config) -> None:
    first = {v.first for board in boards(settings) for v in board.variables if v.name == "window"}
    assert first == {"6h"}


def test_a_panel_of_an_unknown_kind_is_refused() -> None:
    panel = plain.Panel("x", "x.", "none", (plain.Query("1"),))
    board = replace(boards()[0], rows=(plain.Row("x", (panel,)),))
    with pytest.raises(TypeError, match="no way to draw"):
        rendered(board)
