"""What is said about a file that is wrong."""

from pathlib import Path

import pytest

from exporter.config import (
    ConfigErrors,
    load,
)
from tests.config.folder import SMALLEST, Folder, model


def test_the_example_of_interface_reads_word_for_word(folder: Folder) -> None:
    assert folder.complaints(SMALLEST.replace("binary", "binry")) == [
        (
            "config.yaml: models.flight-delay.task: 'binry' is not one of binary, multiclass, regression; "
            "did you mean 'binary'?"
        )
    ]


def test_everything_wrong_is_said_at_once_in_the_order_of_the_file(folder: Folder) -> None:
    text = """
kafka:
  bootstrap_server: [localhost:9092]
topics:
  flights.predictions: {role: predictions, fields: {modl: x}}
  flights.predictions: {role: predictions}
windows: [1h, 60, 60m]
models:
  flight-delay:
    task: binary
    threshold: 2
    classes: [a, "${B}"]
    timezone: Europe/Berln
alerts: {tolerance: "x"}
"""
    assert [line.partition("; ")[0] for line in folder.complaints(text)] == [
        "config.yaml: kafka.bootstrap_servers: is missing",
        "config.yaml: kafka.bootstrap_server: is no known key",
        "config.yaml: topics.flights.predictions: is there twice, on lines 5 and 6",
        "config.yaml: topics.flights.predictions.fields.modl: is no known key",
        "config.yaml: windows[1]: 60 has no unit",
        "config.yaml: models.flight-delay.reference: is missing",
        "config.yaml: models.flight-delay.threshold: 2 is not at most 1",
        "config.yaml: models.flight-delay.classes[1]: the environment variable B is not set",
        "config.yaml: models.flight-delay.timezone: 'Europe/Berln' is no time zone",
        "config.yaml: alerts.tolerance: 'x' is not a number",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "config.yaml: is empty; start with topics: and models:"),
        ("[1]", "config.yaml: holds no mapping; start with topics: and models:"),
        ("a: b: c", "config.yaml: line 1, column 5: mapping values are not allowed here; check quotes"),
        (
            "a:\n\t- b",
            "config.yaml: line 2, column 1: found character '\\t' that cannot start any token; indent with spaces",
        ),
        (
            "a: {b: ${C}}",
            "config.yaml: line 1, column 9: expected ',' or '}', but got '{'; inside [] and {} put ${VAR}",
        ),
        ("a: 1\n---\nb: 2", "config.yaml: line 2, column 1: a second document begins; keep one document"),
        ("a: \x00", "config.yaml: line 1 has the unprintable character U+0000; save the file as UTF-8 text"),
        ("a: &a [*a]", "config.yaml: a[0]: the alias contains itself; write the value out"),
        ("a: *b", "config.yaml: line 1, column 4: found undefined alias 'b'; "),
        ("? [1]\n: 2", "config.yaml: a key that is a list or a mapping; write keys as plain text"),
        ("a: !ruby x", "config.yaml: a: the tag !ruby means nothing here; remove the tag"),
        ("a: !!int x", "config.yaml: a: 'x' is not what its tag says; remove the tag"),
        ("a: " + "[" * 5000, "config.yaml: the file is nested too deeply; write it with fewer levels"),
    ],
)
def test_a_text_that_is_no_configuration_is_refused_with_its_place(folder: Folder, text: str, complaint: str) -> None:
    assert any(line.startswith(complaint) for line in folder.complaints(text))


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe4")
    for name, problem in (
        ("none.yaml", "there is no such file"),
        ("", "cannot be read"),
        ("latin.yaml", "is not text"),
    ):
        with pytest.raises(ConfigErrors, match=problem) as caught:
            load(tmp_path / name, {})
        assert len(caught.value.errors) == 1


def test_aliases_and_merged_mappings_are_understood(folder: Folder) -> None:
    lines = "features:\n  a: &quiet {page: false, tolerance: 0.2}\n  b: *quiet\n  c: {<<: *quiet, tolerance: 0.3}"
    features = folder.load(model(lines)).models["flight-delay"].features
    assert features["b"] == features["a"]
    assert (features["c"].page, features["c"].tolerance) == (False, 0.3)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("classes: [a, b, c]", "classes: 3 classes where task: binary has two; name two, or write task: multiclass"),
        ("classes: [a, a]", "classes[1]: 'a' is there twice; keep one of them"),
        ("classes: [late, punctual]", "positive: either of 'late' and 'punctual' may be the positive class; "),
        ("classes: [late, punctual]\npositive: lat", "positive: 'lat' is not one of the classes; did you mean 'late'?"),
        ("threshold: -0.1", "threshold: -0.1 is not at least 0; write a number at least 0"),
        ("threshold: true", "threshold: true is not a number; write a number, without quotes"),
        ("threshold: .nan", "threshold: '.nan' is not a number; "),
        ("timezone: Mars", "timezone: 'Mars' is no time zone; "),
        ("timezone: America", "timezone: 'America' is no time zone; "),
        ("timezone: ../../etc/passwd", "timezone: '../../etc/passwd' is no time zone; "),
        ("weekend: [saturday, sonday]", "weekend[1]: 'sonday' is not one of monday, tuesday, "),
        ("weekend: [sunday, sunday]", "weekend[1]: 'sunday' is there twice; "),
        ("slices: [a, b, {a: x > 1}]", "slices[2]: 'a' is there twice; "),
        ("slices: [{a: x > 1, b: x > 2}]", "slices[0]: a slice with 2 names; write one "),
        ("labels: {horizon: 7}", "labels.horizon: 7 has no unit; write 7s"),
        ("labels: {capacity: 0}", "labels.capacity: 0 is not at least 1; "),
        ("labels:", "labels: has no value; write one, or remove the key"),
        ("features: {a: {tolerance: 1}}", "features.a.tolerance: 1 is not below 1; "),
        (
            "features: {a: {kind: numeric, categories: hash}}",
            "features.a.categories: a numeric feature has no categories; ",
        ),
        ("features: {a: {ignore: yes}}", "features.a.ignore: 'yes' is not true or false; "),
        ("features: [a]", "features: a list is not a mapping; write KEY: VALUE pairs"),
        ("slices: origin", "slices: 'origin' is not a list; write [FIRST, SECOND]"),
        ("alerts: {labels: {severity: x}}", "alerts.labels.severity: is set by the rules themselves; "),
        (
            "alerts: {labels: {team: x, feature: y}}",
            (
                "alerts.labels.feature: is a label that alerts have from their series, and would be overwritten; "
                "choose another name, such as owners_feature"
            ),
        ),
        ("alerts: {labels: {a-b: x}}", "alerts.labels.a-b: is no name of a label; "),
        ("targets: [{name: a, metric: precision, min: 0.5}]", "targets[0].class: precision is that of a class; "),
        (
            "targets: [{name: a, metric: accuracy, class: x, min: 0.5}]",
            "targets[0].class: accuracy is not that of a class; ",
        ),
        ("targets: [{name: a, metric: accuracy, min: 0}]", "targets[0].min: 0 is not above 0; "),
        ("targets: [{name: a, metric: accuracy}]", "targets[0].min: accuracy needs the least that is good enough; "),
        ("targets: [{name: a, metric: accuracy, min: 0.5, max: 0.9}]", "targets[0].max: a large accuracy is good; "),
        (
            "targets: [{name: a, metric: mean_absolute_error, max: 3}]",
            "targets[0].metric: task: binary has no mean_absolute",
        ),
        (
            "targets: [{name: a, metric: accuracy, min: 0.5}, {name: a, metric: accuracy, min: 0.6}]",
            "targets[1].name: 'a' is there twice; ",
        ),
        (
            'classes: ["0", "1"]\ntargets: [{name: a, metric: recall, class: 2, min: 0.5}]',
            "targets[0].class: '2' is not one of the classes; ",
        ),
    ],
)
def test_what_is_wrong_with_a_model_is_said_in_one_line(folder: Folder, lines: str, complaint: str) -> None:
    [line] = folder.complaints(model(lines))
    assert line.startswith(f"config.yaml: models.flight-delay.{complaint}")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("classes: [a, b]", "classes: a regression has no classes; "),
        ("positive: a", "positive: task: regression has no positive class; "),
        ("threshold: 0.5", "threshold: task: regression has no threshold; "),
        ("targets: [{name: a, metric: accuracy, min: 0.5}]", "targets[0].metric: task: regression has no accuracy; "),
        ("targets: [{name: a, metric: mean_absolute_error}]", "targets[0].max: mean_absolute_error needs the most "),
        (
            "targets: [{name: a, metric: mean_absolute_error, max: 1, min: 1}]",
            "targets[0].min: a small mean_absolute_error",
        ),
    ],
)
def test_a_regression_has_no_classes(folder: Folder, lines: str, complaint: str) -> None:
    [line] = folder.complaints(model(lines).replace("binary", "regression"))
    assert line.startswith(f"config.yaml: models.flight-delay.{complaint}")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("windows: [90s]", "windows[0]: 90s is no whole number of panes of 60s; write 2m, or another pane"),
        ("windows: [59s]", "windows[0]: 59s is shorter than the pane of 60s; "),
        ("windows: [1h, 60m]", "windows[1]: 60m is as long as 1h; keep one of them"),
        (
            "windows: [10007m]",
            "windows[0]: 10007m needs more than 120 blocks: its 10007 panes of 60s divide badly; write 6d23h,",
        ),
        ("pane: 7m", "windows[0]: 1h is no whole number of panes of 7m; write 1h3m, or another pane"),
        ("windows: []", "windows: the list is empty; write at least one item, or remove the key"),
        ("lateness: -2m", "lateness: '-2m' is negative; "),
        ("evaluate_every: 0s", "evaluate_every: '0s' is no time at all; "),
        ("web: {hosts: [a.b, 'a.b:80']}", "web.hosts[1]: 'a.b:80' is no name of a host; write it without scheme, "),
        ("web: {hosts: ['*.b']}", "web.hosts[0]: '*.b' is no name of a host; "),
        ("alerts: {tolerance: 1}", "alerts.tolerance: 1 is not below 1; "),
        ("web: {listen: 9877}", "web.listen: 9877 is no address to listen on; "),
        ("limits: {series: 1.5}", "limits.series: 1.5 is not a whole number; "),
        ("reload: {auto: 1}", "reload.auto: 1 is not true or false; "),
        ("widows: [1h]", "widows: is no known key; did you mean 'windows'?"),
        ("state: {path: 3}", "state.path: 3 is no path; "),
        ("metrics: {disable: [model_psi]}", "metrics.disable[0]: 'model_psi' is no metric; "),
        (
            "metrics: {disable: [model_feature_psy]}",
            "metrics.disable[0]: 'model_feature_psy' is no metric; did you mean 'model_feature_psi'?",
        ),
        (
            "alerts: {rules: [{name: A, metric: model_window_rows}]}",
            "alerts.rules[0].rises: the rule has no bound; write one of below, above, falls, rises",
        ),
        (
            "alerts: {rules: [{name: A, metric: model_window_rows, below: 1, above: 2}]}",
            "alerts.rules[0].rises: the rule has below and above; write one of them",
        ),
        (
            "alerts: {rules: [{name: A, metric: model_window_rows, falls: 1}]}",
            "alerts.rules[0].falls: the reference has no model_window_rows; ",
        ),
        (
            "alerts: {rules: [{name: A, metric: model_accuracy_ratio, falls: -1}]}",
            "alerts.rules[0].falls: ",
        ),
        (
            "alerts: {rules: [{name: A, metric: model_output_value, above: 1}]}",
            "alerts.rules[0].metric: model_output_value is a histogram, which has no one value; ",
        ),
        (
            "alerts: {rules: [{name: A, metric: model_window_row, above: 2}]}",
            "alerts.rules[0].metric: 'model_window_row' is no metric; did you mean 'model_window_rows'?",
        ),
        (
            "alerts: {rules: [{name: A, metric: model_window_rows, above: 2, window: 3h}]}",
            "alerts.rules[0].window: '3h' is not one of the windows; ",
        ),
        (
            "alerts: {rules: [{name: A, metric: model_drift_score, above: 2, window: 1h}]}",
            "alerts.rules[0].window: model_drift_score has no windows; ",
        ),
        (
            "alerts: {rules: [{name: a b, metric: model_window_rows, above: 2}]}",
            "alerts.rules[0].name: 'a b' is no name of an alert; ",
        ),
        (
            (
                "alerts: {rules: [{name: A, metric: model_window_rows, above: 2}, "
                "{name: A, metric: model_window_rows, above: 3}]}"
            ),
            "alerts.rules[1].name: 'A' is there twice; ",
        ),
    ],
)
def test_what_is_wrong_outside_topics_and_models_is_said_in_one_line(
    folder: Folder, lines: str, complaint: str
) -> None:
    assert folder.complaints(SMALLEST + lines)[0].startswith(f"config.yaml: {complaint}")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            "security_protocol: SSL\nsasl: {mechanism: PLAIN, username: a, password_file: b}",
            "sasl: security_protocol SSL uses",
        ),
        ("security_protocol: SASL_SSL", "sasl: security_protocol SASL_SSL needs a user; "),
        (
            "tls: {ca_file: a}",
            "tls: security_protocol PLAINTEXT uses no TLS; write security_protocol: SSL, or remove tls",
        ),
        ("security_protocol: SSL\ntls: {cert_file: a}", "tls.key_file: the client's certificate has no key_file; "),
        ("security_protocol: SSL\ntls: {key_file: a}", "tls.key_file: the client's certificate has no cert_file; "),
        (
            "security_protocol: ssl",
            "security_protocol: 'ssl' is not one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL; did you",
        ),
        ("start: yesterday", "start: 'yesterday' is no place to start; write auto, earliest, latest or a time"),
        ("start: latst", "start: 'latst' is no place to start; did you mean 'latest'?"),
        ("extra: {group_id: x}", "extra.group_id: has a key of its own; write kafka.group_id instead"),
        (
            "extra: {isolation_level: x}",
            "extra.isolation_level: is set by the exporter, whose counts depend on it; remove it",
        ),
        ("extra: {a: {b: c}}", "extra.a: a mapping where an option's value belongs; "),
        ("group_id: 7", "group_id: 7 is not text; put it in quotes"),
        ("group_id: ''", "group_id: the text is empty; "),
    ],
)
def test_what_is_wrong_with_kafka_is_said_in_one_line(folder: Folder, lines: str, complaint: str) -> None:
    indented = "".join(f"  {line}\n" for line in lines.splitlines())
    [line] = folder.complaints(SMALLEST.replace("topics:", indented + "topics:"))
    assert line.startswith(f"config.yaml: kafka.{complaint}")


@pytest.mark.parametrize("server", ["a b:1", "a:99999", "http://a:1", ""])
def test_what_is_no_broker_is_refused(folder: Folder, server: str) -> None:
    [line] = folder.complaints(SMALLEST.replace("localhost:9092", f'"{server}"'))
    assert line.startswith("config.yaml: kafka.bootstrap_servers[0]: ")


@pytest.mark.parametrize(
    ("topics", "complaint"),
    [
        ("{}", "topics: names no topic; "),
        ("{l: {role: labels}}", "topics: no topic has predictions; "),
        ("{i: {role: inputs}}", "topics.i.role: there are inputs but no outputs; add a topic with role: outputs"),
        ("{o: {role: outputs}}", "topics.o.role: there are outputs but no inputs; "),
        (
            "{p: {role: predictions}, l: {role: labels, fields: {id: null}}}",
            "topics.l.fields.id: labels without an id ",
        ),
        (
            "{p: {role: predictions, fields: {id: null}}, l: {role: labels}}",
            "topics.p.fields.id: without ids no label ",
        ),
        ("{i: {role: inputs, fields: {id: null}}, o: {role: outputs}}", "topics.i.fields.id: inputs without an id "),
        ("{p: {role: predictions, fields: {model: null}}}", "topics.p.fields.model: predictions without a model "),
        (
            "{i: {role: inputs, fields: {model: null}}, o: {role: outputs, fields: {model: null}}}",
            "topics.i.fields.model: neither inputs nor outputs name their model; ",
        ),
        (
            "{p: {role: predictions}, l: {role: labels, fields: {label: null}}}",
            "topics.l.fields.label: labels without a ",
        ),
        ("{a b: {role: predictions}}", "topics.a b: is no name a topic can have; "),
        ("{p: {role: predictions, format: avro}}", "topics.p.format: 'avro' is not one of json; choose one of them"),
        (
            "{p: {role: inputs, fields: {label: x}}, o: {role: outputs}}",
            "topics.p.fields.label: means nothing in a topic of inputs",
        ),
        (
            "{p: {role: predictions, fields: {features: {key: true}}}}",
            "topics.p.fields.features: features are an object ",
        ),
        ("{p: {role: predictions, fields: {id: .}}}", "topics.p.fields.id: '.' is the whole event, "),
        ("{p: {role: predictions, fields: {id: a..b}}}", "topics.p.fields.id: 'a..b' is no path; "),
        (
            "{p: {role: predictions, fields: {id: {haeder: x}}}}",
            "topics.p.fields.id: unknown key 'haeder'; did you mean 'header'?",
        ),
        (
            "{p: {role: predictions, fields: {id: {key: false}}}}",
            "topics.p.fields.id: the mapping names no place in a record; ",
        ),
        ("{p: {role: predictions, fields: {id: 3}}}", "topics.p.fields.id: 3 is no place in a record; "),
        ("{p: {}}", "topics.p.role: is missing; add role: predictions | inputs | outputs | labels"),
    ],
)
def test_what_is_wrong_with_topics_is_said_in_one_line(folder: Folder, topics: str, complaint: str) -> None:
    text = f"topics: {topics}\nmodels: {{m: {{task: binary, reference: r.json}}}}"
    assert folder.complaints(text)[0].startswith(f"config.yaml: {complaint}")


def test_a_configuration_without_models_is_refused(folder: Folder) -> None:
    [line] = folder.complaints("topics: {p: {role: predictions}}\nmodels: {}")
    assert line.startswith("config.yaml: models: names no model; ")
