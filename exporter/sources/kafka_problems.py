"""What keeps records from coming from Kafka, in sentences with a remedy, each told once."""

import logging
import re
from collections.abc import Collection, Mapping

from kafka.errors import SaslAuthenticationFailedError, UnsupportedSaslMechanismError

from exporter.sources import Partition
from exporter.sources.kafka_tokens import NoToken

_LOOK = "look at kafka.bootstrap_servers, kafka.security_protocol, tls and sasl, and at the network"


def away(servers: Collection[str], refusal: Exception | None = None, trouble: Exception | None = None) -> str:
    """Nobody answers, or there is a reason why we cannot talk: `refusal` is why we gave up, `trouble` why the last
    attempt failed, which says something only if it is about who we or they are.
    """
    where = ", ".join(servers)
    for error in (refusal, trouble):
        if error is not None and (known := security(error)) is not None:
            return f"Kafka at {where} cannot be read: {known[0]}; {known[1]}"
    if refusal is not None:
        return f"Kafka at {where} cannot be read ({str(refusal) or type(refusal).__name__}); {_LOOK}"
    return f"no Kafka broker answers at {where}; {_LOOK}"


_REFUSED = "CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE|CERTIFICATE_UNKNOWN|UNKNOWN_CA|CERTIFICATE_EXPIRED"
# What OpenSSL says, in part, and what that means.
_KNOWN = (
    ("CERTIFICATE_VERIFY_FAILED.*has expired", "the broker's certificate has expired", "renew it"),
    ("CERTIFICATE_VERIFY_FAILED.*not yet valid", "the broker's certificate is not yet valid", "look at the clocks"),
    (
        "CERTIFICATE_VERIFY_FAILED.*mismatch",
        "the broker's certificate is for another name than the one it is reached by",
        "reach it by a name of its certificate, in kafka.bootstrap_servers and in what it advertises",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the broker's certificate is of an authority that is not trusted",
        "name the authority's file in kafka.tls.ca_file",
    ),
    (
        f"ALERT_({_REFUSED})",
        "the broker misses the exporter's certificate, or does not accept it",
        "look at kafka.tls.cert_file and key_file, and at the authorities that the broker trusts",
    ),
    (
        "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|Handshake failed.*EOF",
        "no TLS is spoken there",
        "look at kafka.security_protocol and the port",
    ),
    ("BAD_DECRYPT|BAD_PASSWORD_READ", "the key's password is wrong", "look at kafka.tls.key_password_file"),
    ("KEY_VALUES_MISMATCH", "the key is not the certificate's", "look at kafka.tls.cert_file and key_file"),
    ("NO_CERTIFICATE_OR_CRL_FOUND", "kafka.tls.ca_file holds no certificate", "see that it is PEM"),
    (
        "PEM lib",
        "certificate and key cannot be loaded",
        "see that kafka.tls.cert_file and key_file are PEM, and name key_password_file where the key has a password",
    ),
)


def security(error: Exception) -> tuple[str, str] | None:
    """Problem and remedy, where it is about who is who. No password is in what libraries and brokers say."""
    text = str(error)
    if isinstance(error, NoToken):
        return error.args[0], "look at kafka.sasl"
    if isinstance(error, SaslAuthenticationFailedError):
        return f"the broker refuses the login ({_last(text)})", "look at kafka.sasl, and at the user on the broker"
    if isinstance(error, UnsupportedSaslMechanismError):
        return "the broker does not offer this mechanism", "write one that it does in kafka.sasl.mechanism"
    return next(((why, hint) for words, why, hint in _KNOWN if re.search(words, text)), None)


def _last(text: str) -> str:
    """The broker's own words, behind the classes of errors they come in."""
    return re.sub(r"^(\[Error \d+\] )?(\w+Error: ?)+", "", text) or text


def missing(topic: str) -> str:
    """The brokers know no such topic."""
    return f"there is no topic {topic}; create it or correct `topics`"


def forbidden(topic: str) -> str:
    """The topic is there and not for us."""
    return f"topic {topic} may not be read; grant Describe and Read on it to the exporter's user"


def silent(partitions: Collection[Partition]) -> str:
    """Some brokers answer, but not those that lead these partitions."""
    return f"no answer about {named(partitions)}; see whether the leaders run and what they advertise can be reached"


def unreadable(partition: Partition, error: Exception) -> str:
    """The broker itself fails."""
    return f"{named([partition])} cannot be read ({error}); look at the broker's log"


def uncommitted(group: str, reason: str) -> str:
    """Only the position for others is concerned; ours is saved with the counts."""
    lost = "nothing is lost, but dashboards of consumer lag do not know where we are"
    return f"no position can be committed to group {group} ({reason}): {lost}; grant Read on the group"


def named(partitions: Collection[Partition], most: int = 3) -> str:
    """Their names, of many only the first."""
    names = [f"{topic} partition {number}" for topic, number in sorted(partitions)]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def tell(log: logging.Logger, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Say what began and what is over since `before`; the keys say which sentences mean the same problem."""
    for key, problem in now.items():
        if key not in before:
            log.warning("%s", problem)
    for key, problem in before.items():
        if key not in now:
            log.info("over: %s", problem)
