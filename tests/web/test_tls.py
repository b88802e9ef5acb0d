"""tls_server_config with real certificates and real handshakes."""

import ssl
from pathlib import Path

import httpx
import pytest

from exporter.config import ConfigErrors
from exporter.web import Rules
from tests.services.authority import Authority
from tests.web.served import METRICS, Served, client_context, served, until

VERIFY = "client_auth_type: RequireAndVerifyClientCert"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def write(
    authority: Authority, more: str = "", cert: str = "cert_file: server.pem", key: str = "key_file: server.key"
) -> Path:
    """A web-config.yaml whose server has a certificate of this authority."""
    if not (authority.folder / "server.pem").exists():
        authority.issue("server")
    path = authority.folder / "web-config.yaml"
    lines = [cert, key, *more.splitlines()]
    path.write_text("tls_server_config:\n" + "".join(f"  {line}\n" for line in lines if line))
    return path


def peer(served: Served, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(served.connect(), server_hostname="localhost")


def refused(served: Served, context: ssl.SSLContext) -> bool:
    """Whether nothing is answered. In TLS 1.3 a client hears only afterwards that its certificate was no good."""
    try:
        served.get(verify=context)
    except httpx.TransportError:
        return True
    return False


def test_a_scrape_over_tls_and_the_address_says_so(authority: Authority) -> None:
    with served(write(authority)) as here:
        assert here.url.startswith("https://")
        assert here.get(verify=client_context(authority.file)).content == METRICS
        with peer(here, client_context(authority.file)) as connection:
            assert connection.version() == "TLSv1.3"


def test_who_speaks_plain_http_to_it_gets_no_answer(authority: Authority) -> None:
    with served(write(authority)) as here, here.connect() as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert METRICS not in plain.recv(1000)


def test_certificate_key_and_authority_may_stand_in_the_file_itself(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("server")
    client = authority.issue("client")

    def inline(name: str, path: Path) -> str:
        return f"{name}: |\n" + "".join(f"    {line}\n" for line in path.read_text().splitlines())

    more = f"{inline('client_ca', authority.file)}  {VERIFY}"
    path = tmp_path / "web-config.yaml"
    path.write_text(f"tls_server_config:\n  {inline('cert', certificate)}  {inline('key', key)}  {more}\n")
    certificate.unlink()
    with served(path) as here:
        assert here.get(verify=client_context(authority.file, client)).content == METRICS
        assert refused(here, client_context(authority.file))


def test_a_client_must_have_a_certificate_of_the_authority(authority: Authority, tmp_path: Path) -> None:
    more = f"{VERIFY}\nclient_ca_file: ca.pem"
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("client")
    with served(write(authority, more)) as here:
        assert here.get(verify=client_context(authority.file, authority.issue("client"))).content == METRICS
        assert refused(here, client_context(authority.file))
        assert refused(here, client_context(authority.file, stranger))
        assert refused(here, client_context(authority.file, authority.issue("expired", days=-1)))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("", 403),
        ("client_auth_type: VerifyClientCertIfGiven\nclient_ca_file: ca.pem", 403),
        (VERIFY + "\nclient_ca_file: ca.pem", 200),
    ],
)
def test_the_admins_pages_answer_under_any_name_where_a_certificate_is_demanded(
    authority: Authority, more: str, code: int
) -> None:
    authority.issue("prometheus")
    context = client_context(authority.file, (authority.folder / "prometheus.pem", authority.folder / "prometheus.key"))
    with served(write(authority, more), admin=True) as here:
        assert here.get("/config", context, headers={"Host": "drift.example"}).status_code == code
        assert here.get("/config", context).status_code == 200


def test_a_client_may_come_without_a_certificate_where_it_is_only_verified_if_given(
    authority: Authority, tmp_path: Path
) -> None:
    more = "client_auth_type: VerifyClientCertIfGiven\nclient_ca_file: ca.pem"
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("client")
    with served(write(authority, more)) as here:
        assert here.get(verify=client_context(authority.file)).content == METRICS
        assert refused(here, client_context(authority.file, stranger))


@pytest.mark.parametrize(
    "names",
    [
        {"dns": ["prometheus.example"]},
        {"ips": ["2001:db8::1"]},
        {"emails": ["ops@example.org"]},
        {"uris": ["spiffe://example.org/prometheus"]},
        {"dns": ["else.example", "prometheus.example"]},
    ],
    ids=str,
)
def test_a_client_with_an_allowed_name_of_any_kind_is_answered(
    authority: Authority, names: dict[str, list[str]]
) -> None:
    allowed = '["prometheus.example", "2001:db8::1", "ops@example.org", "spiffe://example.org/prometheus"]'
    more = f"{VERIFY}\nclient_ca_file: ca.pem\nclient_allowed_sans: {allowed}"
    only = {"dns": (), "ips": ()} | names
    with served(write(authority, more)) as here:
        assert here.get(verify=client_context(authority.file, authority.issue("client", **only))).content == METRICS  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [["prometheus.example.evil"], ["xprometheus.example"], ["PROMETHEUS.example"], []])
def test_a_client_without_an_allowed_name_is_not(authority: Authority, names: list[str]) -> None:
    more = f"{VERIFY}\nclient_ca_file: ca.pem\nclient_allowed_sans: [prometheus.example]"
    client = authority.issue("prometheus.example", dns=names, ips=())  # its common name is no alternative name
    with served(write(authority, more)) as here:
        assert refused(here, client_context(authority.file, client))
        assert refused(here, client_context(authority.file, client, maximum_version=ssl.TLSVersion.TLSv1_2))


def test_only_the_versions_from_least_to_greatest_are_spoken(authority: Authority) -> None:
    old = client_context(authority.file, maximum_version=ssl.TLSVersion.TLSv1_2)
    new = client_context(authority.file, minimum_version=ssl.TLSVersion.TLSv1_3)
    with served(write(authority, "min_version: TLS13")) as here:
        assert (refused(here, old), refused(here, new)) == (True, False)
    with served(write(authority, "max_version: TLS12")) as here:
        assert (refused(here, old), refused(here, new)) == (False, True)


def test_only_the_named_suites_and_the_curve_are_spoken(authority: Authority) -> None:
    more = (
        "max_version: TLS12\ncipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\ncurve_preferences: [CurveP384]"
    )
    with served(write(authority, more)) as here:
        with peer(here, client_context(authority.file)) as connection:
            assert connection.cipher() == ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2", 128)
        other = client_context(authority.file)
        other.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
        assert refused(here, other)
        curve = client_context(authority.file)
        curve.set_ecdh_curve("prime256v1")
        assert refused(here, curve)


@pytest.mark.parametrize("servers", [True, False])
def test_the_order_of_suites_is_the_servers_or_the_clients(authority: Authority, servers: bool) -> None:
    strong, weak = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    more = f"cipher_suites: [{strong}, {weak}]\nmax_version: TLS12\nprefer_server_cipher_suites: {str(servers).lower()}"
    client = client_context(authority.file)
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    with served(write(authority, more)) as here, peer(here, client) as connection:
        assert connection.cipher()[2] == (256 if servers else 128)  # type: ignore[index]


def serial(here: Served, authority: Authority) -> int:
    with peer(here, client_context(authority.file)) as connection:
        return int(connection.getpeercert()["serialNumber"], 16)  # type: ignore[index,arg-type]


def test_a_new_certificate_is_served_without_a_restart(authority: Authority) -> None:
    with served(write(authority)) as here:
        before = serial(here, authority)
        with peer(here, client_context(authority.file)) as held:
            authority.issue("server")
            until(lambda: serial(here, authority) != before)
            held.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")  # who is there stays
            assert b"200 OK" in held.recv(4000)


def test_a_new_authority_of_clients_counts_without_a_restart(authority: Authority, tmp_path: Path) -> None:
    more = f"{VERIFY}\nclient_ca_file: clients.pem"
    (tmp_path / "new").mkdir()
    new = Authority(tmp_path / "new")
    old_client, new_client = authority.issue("client"), new.issue("client")
    (tmp_path / "clients.pem").write_bytes(authority.file.read_bytes())
    with served(write(authority, more)) as here:
        assert not refused(here, client_context(authority.file, old_client))
        assert refused(here, client_context(authority.file, new_client))
        (tmp_path / "clients.pem").write_bytes(new.file.read_bytes())
        until(lambda: not refused(here, client_context(authority.file, new_client)))
        assert refused(here, client_context(authority.file, old_client))


def test_a_secret_that_is_swapped_by_a_link_is_seen(authority: Authority, tmp_path: Path) -> None:
    """As Kubernetes does it: tls -> ..data -> ..1, and ..data is moved to ..2."""
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        for path in authority.issue("server"):
            path.rename(tmp_path / version / path.name)
    (tmp_path / "..data").symlink_to("..1")
    authority.issue("server")
    path = write(authority, cert="cert_file: ..data/server.pem", key="key_file: ..data/server.key")
    with served(path) as here:
        before = serial(here, authority)
        (tmp_path / "..new").symlink_to("..2")
        (tmp_path / "..new").rename(tmp_path / "..data")
        until(lambda: serial(here, authority) != before)


def test_half_of_a_new_pair_keeps_the_old_one_and_says_so(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(authority)
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside/ca.pem").write_bytes(authority.file.read_bytes())
    with served(path) as here:
        before = serial(here, authority)
        key = (tmp_path / "server.key").read_bytes()
        authority.issue("server")
        new_key = (tmp_path / "server.key").read_bytes()
        (tmp_path / "server.key").write_bytes(key)
        until(lambda: here.server.problem)
        assert serial(here, authority) == before
        assert here.server.problem == (
            f"{path}: tls_server_config.cert_file: the key is not the certificate's; replace both, the certificate last"
        )
        (tmp_path / "server.key").write_bytes(new_key)
        until(lambda: not here.server.problem)
        assert serial(here, authority) != before
    assert sum("not read again" in line for line in caplog.messages) == 1


@pytest.mark.parametrize(
    "text", ["", "{}", "basic_auth_users: {}", "tls_server_config: [", "http_server_config: {http2: false}"]
)
def test_a_file_that_lost_its_tls_opens_nothing(authority: Authority, text: str) -> None:
    path = write(authority)
    with served(path) as here:
        path.write_text(text)
        until(lambda: here.server.problem)
        assert here.get(verify=client_context(authority.file)).content == METRICS


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("server.key:nothing", "cert_file: certificate and key cannot be loaded"),
        ("server.pem:nothing", "cert_file: certificate and key cannot be loaded"),
        ("ca.pem:nothing", "client_ca_file: holds no certificates"),
    ],
)
def test_files_without_what_they_should_hold_are_refused(authority: Authority, prepare: str, said: str) -> None:
    path = write(authority, f"{VERIFY}\nclient_ca_file: ca.pem")
    name, content = prepare.split(":")
    (authority.folder / name).write_text(content)
    with pytest.raises(ConfigErrors) as refusal:
        Rules.read(path)
    assert f"{path}: tls_server_config.{said}" in str(refusal.value)


def test_a_key_with_a_password_is_refused_instead_of_asking_at_a_terminal(authority: Authority) -> None:
    authority.issue("server", password=b"secret")
    with pytest.raises(ConfigErrors) as refusal:
        Rules.read(write(authority))
    assert "tls_server_config.key_file: the key is encrypted; remove its password" in str(refusal.value)
