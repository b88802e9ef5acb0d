"""web-config.yaml: what is accepted, and what is refused with which words."""

from pathlib import Path

import pytest

from exporter.config import ConfigErrors, load_web

TLS = "tls_server_config: {cert_file: a.pem, key_file: a.pem"
HASH = "$2y$10$" + "a" * 53


def complaints(folder: Path, text: str) -> list[str]:
    (folder / "a.pem").touch()
    path = folder / "web-config.yaml"
    path.write_text(text)
    try:
        load_web(path)
    except ConfigErrors as errors:
        return [str(error).replace(f"{folder}/", "") for error in errors.errors]
    return []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        TLS + "}",
        TLS + ", min_version: TLS12, max_version: TLS13, prefer_server_cipher_suites: false}",
        TLS + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: a.pem, client_allowed_sans: [a]}",
        TLS + ", client_auth_type: VerifyClientCertIfGiven, client_ca: text}",
        TLS + ", client_auth_type: ''}",
        TLS + ", cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]}",
        TLS + ", min_version: TLS13, cipher_suites: [TLS_AES_128_GCM_SHA256]}",
        TLS + ", curve_preferences: [X25519]}",
        "tls_server_config: {cert: text, key: text}",
        "http_server_config: {http2: true}",
        "http_server_config: {http2: false, headers: {X-Frame-Options: deny, X-XSS-Protection: ''}}",
        f"basic_auth_users: {{a: {HASH}, b: {HASH.replace('2y', '2a')}, 'ü €': {HASH}}}",
        "basic_auth_users: {}",
        "rate_limit: {interval: 1m30s, burst: 1}",
        "rate_limit: {interval: 1.5ms, burst: 20}",
        "rate_limit: {interval: 0, burst: 0}",
    ],
)
def test_what_the_toolkit_accepts_is_accepted(tmp_path: Path, text: str) -> None:
    assert complaints(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; start with tls_server_config: or basic_auth_users:"),
        ("tls_config: {}", "tls_config: is no known key; did you mean 'tls_server_config'?"),
        ("tls_server_config: {}", "tls.key_file: there is no certificate; write cert_file and key_file"),
        (
            "tls_server_config: {cert_file: a.pem}",
            "tls.key_file: the certificate has no key; write key_file",
        ),
        (TLS + ", cert: x}", "tls.cert_file: is there besides cert; keep one of the two"),
        (
            "tls_server_config: {cert_file: b.pem, key_file: a.pem}",
            "tls.cert_file: there is no file b.pem; ",
        ),
        (TLS + ", client_ca_file: a.pem}", "tls.client_ca_file: no certificate is asked of clients; "),
        (
            TLS + ", client_auth_type: RequireAndVerifyClientCert}",
            "tls.client_ca_file: client_auth_type RequireAndVerifyClientCert trusts no authority; ",
        ),
        (
            TLS + ", client_auth_type: RequireAnyClientCert}",
            "tls.client_auth_type: RequireAnyClientCert does not verify the certificate, so it keeps nobody",
        ),
        (
            TLS + ", client_auth_type: Require}",
            "tls.client_auth_type: 'Require' is not one of NoClientCert, ",
        ),
        (TLS + ", client_allowed_sans: [a]}", "tls.client_allowed_sans: a client may come without a "),
        (
            TLS + ", client_auth_type: VerifyClientCertIfGiven, client_ca: x, client_allowed_sans: [a]}",
            "tls.client_allowed_sans: a client may come without a certificate; ",
        ),
        (TLS + ", client_allowed_sans: []}", "tls.client_allowed_sans: the list is empty; "),
        (TLS + ", min_version: TLS10}", "tls.min_version: TLS10 is broken (RFC 8996) and not served; "),
        (TLS + ", min_version: TLS1.3}", "tls.min_version: 'TLS1.3' is not one of TLS12, TLS13; "),
        (TLS + ", min_version: TLS13, max_version: TLS12}", "tls.max_version: TLS12 is older than min_"),
        (
            TLS + ", cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}",
            "tls.cipher_suites[0]: 'TLS_RSA_WITH_RC4_128_SHA' is no cipher suite that is served; ",
        ),
        (
            TLS + ", cipher_suites: [TLS_AES_128_GCM_SHA256]}",
            "tls.cipher_suites: there is none for TLS 1.2; ",
        ),
        (
            TLS + ", curve_preferences: [X25519, CurveP256]}",
            "tls.curve_preferences: Python's ssl takes one curve only; keep one, or remove the key: ",
        ),
        (
            TLS + ", curve_preferences: [P256]}",
            "tls.curve_preferences[0]: 'P256' is no curve that is served; ",
        ),
        (
            "http_server_config: {headers: {X-Frame-Option: deny}}",
            "http_server_config.headers.X-Frame-Option: is no header that can be set; did you mean 'X-Frame-Options'?",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}",
            "http_server_config.headers.X-Frame-Options: 'allow' is not one of deny, sameorigin; choose one of them",
        ),
        (
            'http_server_config: {headers: {Content-Security-Policy: "a\\nSet-Cookie: b"}}',
            "http_server_config.headers.Content-Security-Policy: has a character that no header may have; ",
        ),
        (
            "basic_auth_users: {a: plain}",
            "basic_auth_users.a: is no bcrypt hash of a password; make one with: ",
        ),
        ("basic_auth_users: {a: 12345}", "basic_auth_users.a: is no bcrypt hash of a password; "),
        (
            f"basic_auth_users: {{a: {HASH.replace('$10', '$99')}}}",
            "basic_auth_users.a: is no bcrypt hash of a password; ",
        ),
        (
            f"basic_auth_users: {{'a:b': {HASH}}}",
            "basic_auth_users.a:b: a user's name cannot contain a colon; rename it",
        ),
        ("rate_limit: {interval: 5, burst: 1}", "rate_limit.interval: 5 is no duration; "),
        ("rate_limit: {interval: 1s}", "rate_limit.burst: 0 lets no request through; write at least 1"),
    ],
)
def test_what_would_not_be_held_is_refused_with_a_remedy(tmp_path: Path, text: str, said: str) -> None:
    found = complaints(tmp_path, text)
    wanted = "web-config.yaml: " + said.replace("tls.", "tls_server_config.", 1)
    assert any(line.startswith(wanted) for line in found), found


@pytest.mark.parametrize(
    "text",
    ["basic_auth_users: {a: geheim}", "tls_server_config: {key: [geheim]}", "basic_auth_users: {a: {b: geheim}}"],
)
def test_no_complaint_repeats_a_secret(tmp_path: Path, text: str) -> None:
    assert complaints(tmp_path, text)
    assert "geheim" not in "".join(complaints(tmp_path, text))


def test_nothing_is_replaced_from_the_environment(tmp_path: Path) -> None:
    text = "http_server_config: {headers: {Content-Security-Policy: '${NONE} $${x}'}}"
    assert complaints(tmp_path, text) == []
    assert load_web(tmp_path / "web-config.yaml").http_server_config.headers == {
        "Content-Security-Policy": "${NONE} $${x}"
    }


def test_the_objects_of_a_file_do_not_print_its_secrets(tmp_path: Path) -> None:
    assert complaints(tmp_path, f"basic_auth_users: {{a: {HASH}}}\ntls_server_config: {{cert: a, key: geheim}}") == []
    printed = repr(load_web(tmp_path / "web-config.yaml"))
    assert "geheim" not in printed
    assert HASH not in printed
