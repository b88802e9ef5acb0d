"""A dashboard's plain data as Grafana's own model. What the library leaves out (refId, options) is set here."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from exporter.generate import dashboards
from exporter.generate.dashboards.panels import (
    SHARE,
    Bars,
    Board,
    Colours,
    Column,
    HeatMap,
    Lines,
    Number,
    Panel,
    Row,
    Table,
    Timeline,
    Variable,
)

TAG = "drift-exporter"
_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
# What a dashboard that is opened wants to be told, if it is known.
_PASSED = {
    dashboards.FLEET: ("window",),
    dashboards.MODEL: ("model", "model_version", "window"),
    dashboards.FEATURE: ("model", "model_version", "feature", "window"),
    dashboards.OWN: (),
}
_RED_FROM_ONE: Colours = ((None, "green"), (1.0, "red"))


def rendered(board: Board) -> str:
    """The dashboard's JSON, the same bytes each time."""
    made = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .timezone("utc")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-7d", "now")
        .refresh("1m")
        .link(
            build.DashboardLink("Drift")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for variable in board.variables:
        made.with_variable(_variable(variable))
    for row in board.rows:
        _add(made, row, board)
    found = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    for number, panel in enumerate(_panels(found), 1):
        panel["id"] = number
    found["id"] = None
    found["annotations"] = {"list": [_alerts(board)]}
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _panels(found: dict[str, Any]) -> list[dict[str, Any]]:
    """In reading order, those of collapsed rows too."""
    return [one for panel in found["panels"] for one in (panel, *panel.get("panels", ()))]


def _alerts(board: Board) -> dict[str, Any]:
    """Marks in the graphs where an alert began to fire. The library has no fields for their texts."""
    return {
        "name": "Alerts",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "expr": f'ALERTS{{alertstate="firing", {board.alerts}}}',
        "step": "60s",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{model}} {{model_version}} {{feature}}",
        "tagKeys": "severity",
    }


def _variable(variable: Variable) -> build.QueryVariable:
    ways = {"up": models.VariableSort.NATURAL_ASC, "down": models.VariableSort.NATURAL_DESC}
    made = (
        build.QueryVariable(variable.name)
        .label(variable.title)
        .datasource(_SOURCE)
        .query(f"label_values({variable.series}, {variable.of})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(ways[variable.sort])
        .multi(variable.several)
        .include_all(variable.several)
    )
    if variable.several:
        made.all_value(".+").current(models.VariableOption(selected=True, text="All", value="$__all"))
    elif variable.first:
        made.current(models.VariableOption(selected=True, text=variable.first, value=variable.first))
    return made


def _add(made: build.Dashboard, row: Row, board: Board) -> None:
    line = build.Row(row.title).collapsed(row.collapsed)
    if row.collapsed:
        for panel in row.panels:
            line.with_panel(_panel(panel, board))
        made.with_row(line)
        return
    made.with_row(line)
    for panel in row.panels:
        made.with_panel(_panel(panel, board))


def _panel(panel: Panel, board: Board) -> Any:
    match panel:
        case Lines():
            made = _lines(panel)
        case Number():
            made = _number(panel, board)
        case Bars():
            made = _bars(panel)
        case HeatMap():
            made = _heat_map(panel)
        case Timeline():
            made = _timeline(panel)
        case Table():
            made = _table(panel, board)
        case _:
            raise TypeError(f"no way to draw a {type(panel).__name__}")
    made.title(panel.title).description(panel.description).unit(panel.unit).datasource(_SOURCE)
    return made.span(panel.width).height(panel.height)


def _letter(number: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number]


def _targets(panel: Panel, made: Any, instant: bool, form: PromQueryFormat = PromQueryFormat.TIME_SERIES) -> Any:
    for number, one in enumerate(panel.queries):
        target = query.Dataquery().expr(one.expr).ref_id(_letter(number)).format(form).datasource(_SOURCE)
        target.legend_format(one.legend) if one.legend else None
        made.with_target(target.instant() if instant else target.range())
    return made


def _thresholds(colours: Colours) -> build.ThresholdsConfig:
    steps = [models.Threshold(value=value, color=colour) for value, colour in colours]
    return build.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _by_threshold() -> build.FieldColor:
    return build.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)


def _lines(panel: Lines) -> Any:
    made = (
        timeseries.Panel()
        .draw_style(kinds.GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(60 if panel.stacked else 0)
        .show_points(kinds.VisibilityMode.NEVER)
        .color_scheme(build.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(kinds.LegendDisplayMode.LIST)
            .placement(kinds.LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING))
    )
    if panel.stacked:
        made.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL))
    if panel.logarithmic:
        made.scale_distribution(common.ScaleDistributionConfig().type(kinds.ScaleDistribution.LOG).log(10))
    if panel.low is not None:
        made.min(panel.low)
    if panel.high is not None:
        made.max(panel.high)
    if panel.bound is not None:
        made.thresholds(_thresholds(((None, "transparent"), (panel.bound, "red"))))
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED))
        made.axis_soft_max(1.2 * panel.bound)
    _targets(panel, made, instant=False)
    for number, one in enumerate(panel.queries):
        if one.dashed:
            made.override_by_query(
                _letter(number),
                [models.DynamicConfigValue("custom.lineStyle", kinds.LineStyle(fill="dash", dash=[8.0, 8.0]))],
            )
        if one.share:
            made.override_by_query(
                _letter(number),
                [
                    models.DynamicConfigValue("unit", SHARE),
                    models.DynamicConfigValue("min", 0.0),
                    models.DynamicConfigValue("max", 1.0),
                    models.DynamicConfigValue("custom.axisPlacement", kinds.AxisPlacement.RIGHT),
                    models.DynamicConfigValue("custom.axisLabel", one.legend),
                    models.DynamicConfigValue("custom.fillOpacity", 10),
                    models.DynamicConfigValue("custom.lineWidth", 0),
                ],
            )
    return made


def _latest() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields("")


def _number(panel: Number, board: Board) -> Any:
    made = (
        stat.Panel()
        .reduce_options(_latest())
        .graph_mode(kinds.BigValueGraphMode.NONE)
        .color_mode(kinds.BigValueColorMode.VALUE)
        .text_mode(kinds.BigValueTextMode.NAME if panel.named else kinds.BigValueTextMode.VALUE)
        .thresholds(_thresholds(panel.colours))
        .color_scheme(_by_threshold())
        .no_value(panel.none)
    )
    if panel.words:
        made.mappings(
            [models.ValueMap({value: models.ValueMappingResult(text=word) for value, word in panel.words.items()})]
        )
    if panel.leads_to:
        made.data_links([_link(panel.leads_to, board, ())])
    return _targets(panel, made, instant=True)


def _bars(panel: Bars) -> Any:
    made = (
        bargauge.Panel()
        .reduce_options(_latest())
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .value_mode(kinds.BarGaugeValueMode.TEXT)
        .show_unfilled(False)
        .thresholds(_thresholds(((None, "blue"),)))
        .color_scheme(_by_threshold())
    )
    return _targets(panel, made, instant=True)


def _heat_map(panel: HeatMap) -> Any:
    made = (
        heatmap.Panel()
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .steps(64)
            .exponent(0.5)
            .reverse(True)
        )
        .cell_gap(0)
        .cell_values(heatmap.CellValues().unit(panel.unit))
        .y_axis(heatmap.YAxisConfig().axis_placement(kinds.AxisPlacement.LEFT).unit(panel.unit))
        .show_value(kinds.VisibilityMode.NEVER)
        .show_legend()
    )
    return _targets(panel, made, instant=False, form=PromQueryFormat.HEATMAP)


def _timeline(panel: Timeline) -> Any:
    made = (
        statetimeline.Panel()
        .show_value(kinds.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.9)
        .fill_opacity(80)
        .line_width(0)
        .thresholds(_thresholds(_RED_FROM_ONE))
        .color_scheme(_by_threshold())
        .legend(
            common.VizLegendOptions()
            .show_legend(False)
            .display_mode(kinds.LegendDisplayMode.LIST)
            .placement(kinds.LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.SINGLE).sort(kinds.SortOrder.NONE))
    )
    return _targets(panel, made, instant=False)


def _table(panel: Table, board: Board) -> Any:
    names = _names(panel)
    hidden = [name for column, name in names if column.label and column.expr]
    shown = {column.label or name: column.title for column, name in names}
    made = (
        tables.Panel()
        .show_header(True)
        .cell_height(kinds.TableCellHeight.SM)
        .footer(common.TableFooterOptions().show(False).reducer(["sum"]))
        .sort_by([common.TableSortByFieldState().display_name(panel.by.lstrip("-")).desc(panel.by.startswith("-"))])
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            models.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": dict.fromkeys(("Time", *hidden), True),
                    "indexByName": {name: place for place, name in enumerate(shown)},
                    "renameByName": shown,
                },
            )
        )
    )
    labels = tuple(column.label for column in panel.columns if column.label)
    for column in panel.columns:
        if properties := _properties(column, board, labels):
            made.override_by_name(column.title, properties)
    return _targets(panel, made, instant=True, form=PromQueryFormat.TABLE)


def _names(panel: Table) -> list[tuple[Column, str]]:
    """Each column with the name that Grafana gives the value of its query, "" where it has none."""
    valued = [column for column in panel.columns if column.expr]
    if len(valued) == 1:
        return [(column, "Value" if column.expr else "") for column in panel.columns]
    letters = {column.title: f"Value #{_letter(number)}" for number, column in enumerate(valued)}
    return [(column, letters.get(column.title, "")) for column in panel.columns]


def _properties(column: Column, board: Board, labels: tuple[str, ...]) -> list[models.DynamicConfigValue]:
    found = []
    if not column.label:
        found.append(models.DynamicConfigValue("unit", column.unit))
    if column.decimals is not None:
        found.append(models.DynamicConfigValue("decimals", column.decimals))
    if column.width is not None:
        found.append(models.DynamicConfigValue("custom.width", column.width))
    if column.colours:
        found.append(models.DynamicConfigValue("thresholds", _thresholds(column.colours).build()))
        found.append(models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    if column.leads_to:
        found.append(models.DynamicConfigValue("links", [_link(column.leads_to, board, labels).build()]))
    return found


def _link(to: str, board: Board, labels: tuple[str, ...]) -> build.DashboardLink:
    """To another dashboard, with all that is known here: from the row's `labels`, else from the variables."""
    chosen = {variable.name for variable in board.variables}
    words = ["${datasource:queryparam}", "${job:queryparam}"]
    for name in _PASSED[to]:
        if name in labels:
            words.append(f"var-{name}=${{__data.fields.{name}:percentencode}}")
        elif name in chosen:
            words.append(f"${{{name}:queryparam}}")
    words.append("${__url_time_range}")
    return build.DashboardLink("Open").url(f"/d/{to}?{'&'.join(words)}")
