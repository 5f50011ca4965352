"""A real PostgreSQL server for tests: Debian's package, a cluster of its own in a folder of its own, on a free port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

USER = "postgres"
"""Whom Debian's package makes: the server refuses to run as root."""


class Postgres:
    """One server; `start` and `stop` it as often as a test likes. Raises FileNotFoundError where it is not installed."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise FileNotFoundError("initdb")
        self._bin = found[-1].parent
        self._as: dict[str, Any] = {"user": USER, "group": USER, "extra_groups": []} if os.getuid() == 0 else {}
        self._folder = Path(tempfile.mkdtemp(prefix="agentd-postgres-"))
        if self._as:
            shutil.chown(self._folder, USER, USER)
        self._made = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._run(
            "initdb", "--pgdata", "data", "--auth=trust", "--username=agentd", "--encoding=UTF8", "--locale=C", "--no-sync"
        )
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([self._bin / program, *arguments], cwd=self._folder, check=True, stdout=subprocess.DEVNULL, **self._as)

    def start(self) -> None:
        """Until it takes connections."""
        options = {"listen_addresses": "127.0.0.1", "port": str(self._port), "unix_socket_directories": "", "fsync": "off"}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(
            [self._bin / "postgres", "-D", "data", *arguments],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as,
        )
        for _ in range(200):
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("the server does not come up")

    def stop(self) -> None:
        """At once: its sessions end, what was committed stays."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def url(self, database: str) -> str:
        return f"postgresql://agentd@127.0.0.1:{self._port}/{database}"

    def fresh(self) -> str:
        """The address of a new, empty database."""
        self._made += 1
        self.ask(f"CREATE DATABASE ledger{self._made}")
        return self.url(f"ledger{self._made}")

    def ask(self, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What a query answers, if it answers anything."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The session's server. What uses it is marked postgres."""
    try:
        server = Postgres()
    except FileNotFoundError:
        pytest.skip("needs Debian's postgresql: apt install postgresql")
    yield server
    server.close()
