"""What comes from the environment."""

import pytest

from tests.config.folder import SMALLEST, Folder, model


def test_a_variable_is_replaced_in_values_and_in_names_of_topics(folder: Folder) -> None:
    text = SMALLEST.replace("flights.predictions:", "${STAGE}.predictions:").replace(
        "localhost:9092", "'kafka.${STAGE}:9092'"
    )
    config = folder.load(text, {"STAGE": "test"})
    assert config.kafka is not None
    assert config.kafka.bootstrap_servers == ("kafka.test:9092",)
    assert "test.predictions" in config.topics


def test_an_unquoted_variable_may_be_a_number_and_a_quoted_one_is_text(folder: Folder) -> None:
    text = SMALLEST.replace("kafka:", "limits:\n  series: ${N}\nkafka:\n  group_id: '${N}'")
    config = folder.load(text, {"N": "7"})
    assert config.kafka is not None
    assert (config.limits.series, config.kafka.group_id) == (7, "7")


def test_what_a_variable_contains_cannot_change_the_structure_of_the_file(folder: Folder) -> None:
    value = "a]}: &b\n- ${HOME} # c"
    config = folder.load(SMALLEST.replace("kafka:", "kafka:\n  group_id: ${X}"), {"X": value})
    assert config.kafka is not None
    assert config.kafka.group_id == value


def test_two_dollars_keep_a_variable_from_being_replaced(folder: Folder) -> None:
    config = folder.load(SMALLEST.replace("kafka:", "kafka:\n  group_id: $${X} costs $5"), {"X": "1"})
    assert config.kafka is not None
    assert config.kafka.group_id == "${X} costs $5"


def test_a_variable_in_a_comment_need_not_be_set(folder: Folder) -> None:
    assert folder.complaints(SMALLEST + "# ${NOPE}\n") == []


def test_a_variable_that_is_not_set_is_one_complaint(folder: Folder) -> None:
    text = model('slices: [{far: "distance > ${KM}"}]').replace("binary", "${TASK}")
    assert folder.complaints(text) == [
        (
            "config.yaml: models.flight-delay.task: the environment variable TASK is not set; "
            "set it, or write $${TASK} for the text itself"
        ),
        (
            "config.yaml: models.flight-delay.slices[0].far: the environment variable KM is not set; "
            "set it, or write $${KM} for the text itself"
        ),
    ]


def test_the_environment_overrides_what_is_outside_topics_and_models(folder: Folder) -> None:
    environ = {
        "DRIFT_EXPORTER__KAFKA__GROUP_ID": "other",
        "DRIFT_EXPORTER__KAFKA__EXTRA__CLIENT_RACK": "az-1",
        "DRIFT_EXPORTER__WINDOWS": "[2h]",
        "DRIFT_EXPORTER__WEB__ADMIN": "true",
        "DRIFT_EXPORTER__WEB__LISTEN": ":80",
        "DRIFT_EXPORTER_PORT": "tcp://10.0.0.1:9877",  # Kubernetes sets this for a service named drift-exporter
    }
    config = folder.load(SMALLEST, environ)
    assert config.kafka is not None
    assert (config.kafka.group_id, config.kafka.extra) == ("other", {"client_rack": "az-1"})
    assert [window.text for window in config.windows] == ["2h"]
    assert (config.web.admin, config.web.listen.port) == (True, 80)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("KAFKA__GRUP_ID", "x", "kafka.grup_id: is no known key; did you mean 'group_id'?"),
        ("LIMITS__SERIES", "many", "limits.series: 'many' is not a whole number; write a whole number, without quotes"),
        ("KAFKA__GROUP_ID__X", "1", "kafka.group_id: a mapping is not text; write one text"),
        (
            "WINDOWS",
            "[1h",
            "windows: expected ',' or ']', but got '<stream end>'; check quotes, colons and indentation",
        ),
        ("MODELS__M__TASK", "binary", "models.m.task: models are not set from the environment; write them in the file"),
        ("", "1", "names no key; write it like DRIFT_EXPORTER__KAFKA__GROUP_ID"),
        ("KAFKA__BOOTSTRAP_SERVERS__X", "1", "kafka.bootstrap_servers.x: belongs to something that is no section; "),
    ],
)
def test_what_is_wrong_with_an_override_names_the_variable(
    folder: Folder, name: str, value: str, complaint: str
) -> None:
    [line] = folder.complaints(SMALLEST, {f"DRIFT_EXPORTER__{name}": value})
    assert line.startswith(f"DRIFT_EXPORTER__{name}: {complaint}")
