"""A throwaway MariaDB, for the sources that are MySQL's kin; the portal itself never runs on it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pymysql

from tests.connectors.certificates import write_certificate
from tests.servers import MissingServerError, Server, _Account, free_port, wait_until


class MariaDb(Server):
    """A server in a folder of its own, on a free port of the loopback address; root may do all, without a password."""

    def __init__(self) -> None:
        install, program = shutil.which("mariadb-install-db"), shutil.which("mariadbd")
        if install is None or program is None:
            raise MissingServerError(
                "MariaDB's programs are not on this machine (Debian: apt-get install mariadb-server)."
            )
        super().__init__()
        self.install, self.program = install, program
        self.account = _Account.choose()
        self.port = free_port()

    def start(self) -> None:
        """Make the data folder, then serve it."""
        own: dict[str, int] = {}
        if self.account is not None:
            os.chown(self.folder, self.account.uid, self.account.gid)
            own = {"user": self.account.uid, "group": self.account.gid}
        shared = ["--no-defaults", f"--datadir={self.folder / 'data'}"]
        subprocess.run(
            [self.install, *shared, "--auth-root-authentication-method=normal", "--skip-test-db"],
            cwd=self.folder, check=True, capture_output=True, timeout=120, extra_groups=[] if own else None, **own,  # type: ignore[call-overload]
        )  # fmt: skip
        self.process = subprocess.Popen(
            [
                self.program, *shared, f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder / 's'}",
                f"--pid-file={self.folder / 'pid'}", *self._certificate(), "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M",
            ],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("ab"), start_new_session=True,
            extra_groups=[] if own else None, **own,  # type: ignore[call-overload]
        )  # fmt: skip
        wait_until(self._answers, seconds=60, what="MariaDB answers")

    def _certificate(self) -> list[str]:
        """It speaks TLS with whoever wants to, as db.internal."""
        write_certificate(self.folder, "db.internal")
        if self.account is not None:
            os.chown(self.folder / "key.pem", self.account.uid, self.account.gid)
        return [f"--ssl-cert={self.folder / 'cert.pem'}", f"--ssl-key={self.folder / 'key.pem'}"]

    def stop(self) -> None:
        """It takes a hang-up for a wish to reload; only SIGTERM ends it."""
        if self.process is not None:
            self.process.terminate()
        super().stop()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            self.run("SELECT 1")
        except pymysql.err.OperationalError:
            return False
        return True

    def run(self, *statements: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run statements as root; the rows of the last."""
        with (
            pymysql.connect(
                host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True, connect_timeout=2
            ) as line,
            line.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())
