"""Basic auth against bcrypt hashes, which are slow to check by design, without a slow page."""

import asyncio
import base64
import binascii
import hmac
import os
import threading
from collections.abc import Mapping

import bcrypt

KEPT = 1000  # answers that are remembered, of each kind
QUEUE = 16  # passwords that wait to be checked, one at a time
LONGEST = 72  # bytes of a password that bcrypt looks at; htpasswd and Go cut it there too


class Busy(Exception):
    """Too many passwords wait to be checked."""


class Passwords:
    """Remembers which were right and which were wrong, by a keyed digest that holds neither.

    A wrong one never displaces a right one, so who knows the password gets in while somebody else is guessing.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._right: dict[bytes, bool] = {}
        self._wrong: dict[bytes, bool] = {}
        self._turn = asyncio.Lock()
        self._queue = 0

    async def right(self, users: Mapping[str, str], header: str) -> bool:
        """Whether an Authorization header names a user with the password of their hash. Raises Busy."""
        given = _given(header)
        if given is None:
            return False
        user, password = given
        known = user in users
        # An unknown user takes as long as a known one: nobody learns who there is.
        hashed = users[user] if known else _hash_of_nobody(users)
        digest = self._digest(user, hashed, password)
        for answers in (self._right, self._wrong):
            if digest in answers:
                answers[digest] = answers.pop(digest)  # the newest is last
                return answers[digest]
        if self._queue >= QUEUE:
            raise Busy
        self._queue += 1
        try:
            async with self._turn:
                matches = await _check(password, hashed)
        finally:
            self._queue -= 1
        answers = self._right if matches and known else self._wrong
        answers[digest] = matches and known
        if len(answers) > KEPT:
            del answers[next(iter(answers))]
        return answers[digest]

    def _digest(self, *parts: str | bytes) -> bytes:
        encoded = [part.encode() if isinstance(part, str) else part for part in parts]
        text = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        return hmac.digest(self._key, text, "sha256")


def _given(header: str) -> tuple[str, bytes] | None:
    """User and password; None where the header is of another kind or malformed."""
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(text.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):  # a name that is no UTF-8 is nobody's
        return None


def _hash_of_nobody(users: Mapping[str, str]) -> str:
    """No password has it; it is as slow as that of the first user."""
    cost = next(iter(users.values()))[4:6]
    return f"$2b${cost}${'.' * 53}"


async def _check(password: bytes, hashed: str) -> bool:
    """In a thread of its own, which does not keep the process from ending however slow the hash is."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def settle(matches: bool) -> None:
        if not answer.done():
            answer.set_result(matches)

    def check() -> None:
        try:
            matches = bcrypt.checkpw(password[:LONGEST], hashed.encode())
        except ValueError:
            matches = False
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, matches)

    threading.Thread(target=check, name="bcrypt", daemon=True).start()
    return await answer
