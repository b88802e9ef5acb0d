"""web-config.yaml in force: read again when it, or a file it names, changes."""

import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from exporter.config import ConfigError, ConfigErrors, WebFile, load_web
from exporter.web.tls import server_context

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """`context`: None for plain HTTP. `stamps`: change with every file that the rules were read from."""

    file: WebFile = field(default_factory=WebFile)
    context: ssl.SSLContext | None = None
    stamps: tuple[object, ...] = ()

    @property
    def ask(self) -> bool:
        """Whether nobody comes in without a password or a certificate."""
        tls = self.file.tls_server_config
        demanded = tls is not None and tls.client_auth_type == "RequireAndVerifyClientCert"
        return demanded or bool(self.file.basic_auth_users)

    @classmethod
    def read(cls, path: Path | None) -> "Rules":
        """Without a file everybody may come in. Raises ConfigErrors."""
        if path is None:
            return cls()
        # Stamps before the content: what changes in between is seen at the next look.
        file = load_web(path)
        stamps = _stamps(path, file)
        file = load_web(path)
        tls = file.tls_server_config
        return cls(file, None if tls is None else server_context(tls, str(path)), stamps)


class Door:
    """The rules in force, and why the newest are not, if so."""

    def __init__(self, path: Path | None) -> None:
        """Raises ConfigErrors."""
        self._path = path
        self.rules = Rules.read(path)
        self.problem = ""

    def look(self) -> None:
        """Whether there are other rules by now; those with a mistake do not come into force, and are tried again."""
        if self._path is None or (not self.problem and _stamps(self._path, self.rules.file) == self.rules.stamps):
            return
        try:
            rules = Rules.read(self._path)
            self._opens_nothing(rules)
        except ConfigErrors as errors:
            problem = "; ".join(map(str, errors.errors))
            if problem != self.problem:
                log.error("not read again, the old rules stay: %s", problem)
            self.problem = problem
            return
        if self.problem or rules.stamps != self.rules.stamps:
            log.info("%s and the files it names are read again", self._path)
        self.rules, self.problem = rules, ""

    def _opens_nothing(self, rules: Rules) -> None:
        """A file that is half written lacks what comes last: what was closed is opened by a restart alone."""
        lost = []
        if (rules.context is None) != (self.rules.context is None):
            lost.append(("tls_server_config", "has come or gone"))
        if self.rules.file.basic_auth_users and not rules.file.basic_auth_users:
            lost.append(("basic_auth_users", "asks nobody any more"))
        if lost:
            hint = "restart, if that is meant"
            raise ConfigErrors([ConfigError(at, problem, hint, str(self._path)) for at, problem in lost])


def _stamps(path: Path, file: WebFile) -> tuple[object, ...]:
    """Other ones when a file is written or replaced, or a link on the way to it moved, as in a ConfigMap."""
    tls = file.tls_server_config
    named = (tls.cert_file, tls.key_file, tls.client_ca_file) if tls is not None else ()
    return tuple(_stamp(one) for one in (path, *named) if one is not None)


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
