"""What keeps records from coming from Kafka, in sentences with a remedy, each told once."""

import logging
from collections.abc import Collection, Mapping

from exporter.sources import Partition


def away(servers: Collection[str], reason: str) -> str:
    """Nobody answers, or there is a reason why we cannot talk."""
    where = ", ".join(servers)
    trouble = f"Kafka at {where} cannot be read ({reason})" if reason else f"no Kafka broker answers at {where}"
    return f"{trouble}; look at kafka.bootstrap_servers, kafka.security_protocol, tls and sasl, and at the network"


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
