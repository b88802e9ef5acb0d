"""kafka.sasl and kafka.tls: what goes together, and what does not."""

import pytest

from tests.config.folder import SMALLEST, Folder

OAUTH = "security_protocol: SASL_SSL\n  sasl: {mechanism: OAUTHBEARER"
CLIENT = "client_id: a, client_secret_file: config.yaml"


def kafka(lines: str) -> str:
    return SMALLEST.replace("kafka:", f"kafka:\n  {lines}")


@pytest.mark.parametrize(
    "more",
    [
        ", token_file: config.yaml}",
        f", token_url: https://idp.example/token, {CLIENT}}}",
        f", token_url: http://127.0.0.1:8080/token, {CLIENT}, scope: a, token_ca_file: config.yaml}}",
        ", token_file: config.yaml, extensions: {logicalCluster: lkc-1}}",
    ],
)
def test_a_token_comes_from_a_file_or_for_a_secret(folder: Folder, more: str) -> None:
    assert folder.complaints(kafka(OAUTH + more)) == []


@pytest.mark.parametrize(
    ("more", "key", "said"),
    [
        (
            "}",
            "token_url",
            "OAUTHBEARER needs a token; write token_file, or token_url with client_id and client_secret",
        ),
        (", token_file: a, token_url: https://a/b, " + CLIENT + "}", "token_url", "is there besides token_file; keep"),
        (
            ", token_file: a, client_id: b}",
            "client_id",
            "there is no token_url to use it with; remove it, or write tok",
        ),
        (", token_url: https://a/b, client_id: b}", "client_secret_file", "is missing; add client_secret_file: ..."),
        (", token_url: https://a/b, client_secret_file: b}", "client_id", "is missing; add client_id: ..."),
        (", token_url: http://a/b, " + CLIENT + "}", "token_url", "the secret would be sent in the clear; write https"),
        (", token_url: idp, " + CLIENT + "}", "token_url", "'idp' is no address; write https://HOST/PATH"),
        (
            ", token_url: https://a:b@c, " + CLIENT + "}",
            "token_url",
            "an address is shown and logged, so it cannot hold",
        ),
        (", token_file: a, username: b}", "username", "OAUTHBEARER takes no password; remove it, and write token_file"),
        (", token_file: a, token: b}", "token", "is no known key; put the token into a file and name it in token_file"),
        (", token_file: a, extensions: {auth: b}}", "extensions.auth", "cannot be sent; "),
        (", token_file: a, extensions: {a: 'b\nc'}}", "extensions.a", "cannot be sent; "),
    ],
)
def test_a_token_from_nowhere_or_two_places_is_refused(folder: Folder, more: str, key: str, said: str) -> None:
    more = more.replace("\n", "\\n").replace("'", '"')
    [line] = folder.complaints(kafka(OAUTH + more))
    assert line.startswith(f"config.yaml: kafka.sasl.{key}: {said}")


@pytest.mark.parametrize(
    ("sasl", "said"),
    [
        ("{mechanism: PLAIN, username: a}", "password_file: is missing; add password_file: ..."),
        ("{mechanism: PLAIN, password_file: a}", "username: is missing; add username: ..."),
        (
            "{mechanism: PLAIN, username: a, password_file: b, token_file: c}",
            "token_file: PLAIN takes no token; remove it, or write mechanism: OAUTHBEARER",
        ),
    ],
)
def test_a_password_needs_a_user_and_takes_no_token(folder: Folder, sasl: str, said: str) -> None:
    [line] = folder.complaints(kafka(f"security_protocol: SASL_SSL\n  sasl: {sasl}"))
    assert line == f"config.yaml: kafka.sasl.{said}"


def test_the_password_of_a_key_needs_a_key(folder: Folder) -> None:
    [line] = folder.complaints(kafka("security_protocol: SSL\n  tls: {key_password_file: a}"))
    assert line == (
        "config.yaml: kafka.tls.key_password_file: there is no key_file that it opens; remove it, or name key_file"
    )
