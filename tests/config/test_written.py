"""What may be written, and what it means."""

import json
from datetime import UTC, datetime

import pytest

from exporter.config import (
    Field,
    Listen,
    default_positive,
)
from tests.config.folder import SMALLEST, Folder, model


def test_the_smallest_configuration_has_the_defaults_that_interface_names(folder: Folder) -> None:
    config = folder.load(SMALLEST)
    flights = config.models["flight-delay"]
    assert [window.text for window in config.windows] == ["1h", "24h", "7d"]
    assert (config.pane.text, config.lateness.text, config.evaluate_every.text) == ("60s", "2m", "15s")
    assert (config.alerts.false_page_budget.text, config.alerts.tolerance) == ("90d", 0.10)
    limits = config.limits
    assert (limits.series, limits.versions_per_model, limits.classes, limits.slice_values) == (50_000, 5, 50, 20)
    assert (flights.labels.horizon.text, flights.labels.capacity, flights.threshold) == ("7d", 5_000_000, 0.5)
    assert config.web.listen == Listen("", 9877)
    assert config.kafka is not None
    assert (config.kafka.group_id, config.kafka.start) == ("drift-exporter", "auto")


def test_a_replay_needs_no_kafka(folder: Folder) -> None:
    assert folder.load(SMALLEST[SMALLEST.index("topics:") :]).kafka is None


def test_paths_start_from_the_folder_of_the_file(folder: Folder) -> None:
    config = folder.load(SMALLEST + "web: {config_file: web/config.yaml}\n")
    assert config.models["flight-delay"].reference == {"*": folder.path / "flight-delay.reference.json"}
    assert config.state.path == folder.path / "state"
    assert config.web.config_file == folder.path / "web/config.yaml"


def test_an_absolute_path_stays(folder: Folder) -> None:
    assert str(folder.load(SMALLEST + "state: {path: /var/lib/drift}\n").state.path) == "/var/lib/drift"


def test_versions_are_texts_as_they_are_written(folder: Folder) -> None:
    text = SMALLEST.replace("flight-delay.reference.json", '{1: a.json, 1.10: b.json, "2": c.json}')
    assert list(folder.load(text).models["flight-delay"].reference) == ["1", "1.10", "2"]


def test_classes_may_be_written_without_quotes(folder: Folder) -> None:
    config = folder.load(model("classes: [0, 1.0]\npositive: 1"))
    assert (config.models["flight-delay"].classes, config.models["flight-delay"].positive) == (("0", "1"), "1")
    config = folder.load(model("classes: [false, true]"))
    assert config.models["flight-delay"].positive == "true"


def test_no_and_yes_are_texts_and_not_booleans(folder: Folder) -> None:
    flights = folder.load(model("classes: [no, yes]\nslices: [on, 1:30]")).models["flight-delay"]
    assert (flights.classes, flights.positive, flights.slices) == (("no", "yes"), "yes", ("on", "1:30"))


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (["0", "1"], "1"),
        (["yes", "no"], "yes"),
        (["true", "false"], "true"),
        (["1", "true"], None),
        (["late", "punctual"], None),
    ],
)
def test_the_positive_class_goes_without_saying_where_exactly_one_looks_it(
    classes: list[str], positive: str | None
) -> None:
    assert default_positive(classes) == positive


def test_lateness_may_be_zero(folder: Folder) -> None:
    assert folder.load(SMALLEST + "lateness: 0s\n").lateness.ns == 0


def test_fields_that_are_not_given_are_at_their_usual_places(folder: Folder) -> None:
    text = SMALLEST.replace("{role: predictions}", "{role: predictions, fields: {id: {key: true}, version: null}}")
    fields = folder.load(text).topics["flights.predictions"].fields
    assert fields.id == Field("key")
    assert fields.version is None
    assert fields.features == Field("path", path=("features",))


def test_each_role_has_the_fields_that_it_can_have(folder: Folder) -> None:
    text = SMALLEST.replace("{role: predictions}", "{role: inputs}\n  said: {role: outputs}")
    topics = folder.load(text).topics
    present = {
        topic.role: {name for name, place in topic.fields if isinstance(place, Field)} for topic in topics.values()
    }
    identity = {"id", "time", "model", "version"}
    assert present == {
        "inputs": identity | {"features"},
        "outputs": identity | {"prediction", "score", "label"},
        "labels": identity | {"label"},
    }


def test_kafka_may_start_at_a_time_which_is_utc_unless_it_says_otherwise(folder: Folder) -> None:
    for written in ("2013-04-01T00:00:00Z", "2013-04-01T00:00:00", "2013-04-01T02:00:00+02:00"):
        config = folder.load(SMALLEST.replace("kafka:", f"kafka:\n  start: {written}"))
        assert config.kafka is not None
        assert config.kafka.start == datetime(2013, 4, 1, tzinfo=UTC)


def test_brokers_may_come_as_one_text_with_commas(folder: Folder) -> None:
    text = SMALLEST.replace("[localhost:9092]", "${BROKERS}")
    config = folder.load(text, {"BROKERS": "a:9092, [::1]:9092,c"})
    assert config.kafka is not None
    assert config.kafka.bootstrap_servers == ("a:9092", "[::1]:9092", "c")


def test_a_missing_reference_is_wrong_for_replay_and_run_but_not_for_making_it(folder: Folder) -> None:
    assert folder.complaints(SMALLEST) == []
    for purpose in ("replay", "run"):
        assert folder.complaints(SMALLEST, purpose=purpose) == [
            (
                "config.yaml: models.flight-delay.reference: there is no file flight-delay.reference.json; "
                "put it there or correct the path"
            )
        ]


def test_each_version_has_a_reference_of_its_own_to_miss(folder: Folder) -> None:
    text = SMALLEST.replace("flight-delay.reference.json", '{"1": config.yaml, "2": none.json, "3": ""}')
    places = [line.split(": ")[1] for line in folder.complaints(text, purpose="replay")]
    assert places == ["models.flight-delay.reference.2", "models.flight-delay.reference.3"]


def test_to_run_takes_kafka_and_every_file_that_is_named(folder: Folder) -> None:
    text = SMALLEST.replace("flight-delay.reference.json", "config.yaml") + "web: {config_file: web.yaml}\n"
    secure = "kafka:\n  security_protocol: SASL_SSL\n  tls: {ca_file: ca.pem}\n"
    secure += "  sasl: {mechanism: PLAIN, username: a, password_file: password}"
    complaints = folder.complaints(text.replace("kafka:", secure), purpose="run")
    assert [line.split(": ")[1] for line in complaints] == [
        "kafka.tls.ca_file",
        "kafka.sasl.password_file",
        "web.config_file",
    ]
    [line] = folder.complaints(text[text.index("topics:") : text.index("web:")], purpose="run")
    assert line == "config.yaml: kafka: is missing; write kafka: {bootstrap_servers: [HOST:PORT]}"


# Secrets


def test_a_password_in_the_file_is_refused_and_never_repeated(folder: Folder) -> None:
    text = SMALLEST.replace(
        "kafka:", "kafka:\n  security_protocol: SASL_SSL\n  sasl: {mechanism: PLAIN, username: a, password: hunter2}"
    )
    lines = folder.complaints(text)
    assert "kafka.sasl.password: is no known key; put the password into a file and name it in password_file" in lines[1]
    assert "hunter2" not in "".join(lines)


def test_what_is_shown_of_the_configuration_has_no_secrets(folder: Folder) -> None:
    text = SMALLEST.replace("kafka:", "kafka:\n  extra: {ssl_password: hunter2, client_id: me, oauth_TOKEN: hunter2}")
    shown = json.dumps(folder.load(text).redacted())
    assert "hunter2" not in shown
    assert '"client_id": "me"' in shown
