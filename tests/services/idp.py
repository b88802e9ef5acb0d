"""A small identity provider: signs JSON Web Tokens, tells its keys, and gives tokens for a client's credentials."""

import base64
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET, SCOPE, AUDIENCE = "drift-exporter", "geheim/+ %:ü", "kafka.read", "kafka"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _json(value: object) -> str:
    return _b64(json.dumps(value).encode())


def unsecured(subject: str, lifetime: float = 600) -> str:
    """A token that nobody signed, which Kafka's validator for development believes."""
    now = time.time()
    return f"{_json({'alg': 'none'})}.{_json({'sub': subject, 'iat': now, 'exp': now + lifetime})}."


class Provider:
    """`asked`: the forms that were sent for tokens. `lifetime` of the next tokens, seconds; `failing`: answer 500."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked: list[dict[str, list[str]]] = []
        self.lifetime = 600
        self.failing = False
        self.silent = threading.Event()
        self.silent.set()
        provider = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200, provider.keys())

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.silent.wait(30)
                self.answer(*provider.grant(self.headers.get("Authorization", ""), form))

            def answer(self, code: int, what: object) -> None:
                content = json.dumps(what).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.token_url, self.keys_url = f"{self.url}/token", f"{self.url}/keys"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def keys(self) -> dict[str, Any]:
        public = self._key.public_key().public_numbers()
        one = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": _number(public.n), "e": _number(public.e)}
        return {"keys": [one]}

    def grant(self, authorization: str, form: str) -> tuple[int, dict[str, Any]]:
        fields = urllib.parse.parse_qs(form)
        self.asked.append(fields)
        if self.failing:
            return 500, {"error": "server_error"}
        user, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (urllib.parse.unquote_plus(user), urllib.parse.unquote_plus(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client", "error_description": f"not {secret}"}
        if fields != {"grant_type": ["client_credentials"], "scope": [SCOPE]}:
            return 400, {"error": "invalid_request"}
        return 200, {"access_token": self.token(), "expires_in": self.lifetime, "token_type": "Bearer"}

    def token(self) -> str:
        now = int(time.time())
        claims = {"sub": CLIENT, "iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + self.lifetime}
        text = f"{_json({'alg': 'RS256', 'kid': '1'})}.{_json(claims | {'scope': SCOPE})}"
        return f"{text}.{_b64(self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@contextmanager
def provider() -> Iterator[Provider]:
    made = Provider()
    try:
        yield made
    finally:
        made.silent.set()
        made.close()
