"""A run's folder and its run.db: the one place where records, drops, stages, gates, events and costs live.

    run = Run.open(folder)                      any number of readers
    with run.writing("realign curate"):         one writer, or Busy with the holder's name
        run.commit("source", batch)             one transaction a batch: kill -9 loses nothing that was committed

SQLite in WAL mode with synchronous=FULL (and F_FULLFSYNC on macOS), one writer a run. Records come back in the order
in which they were committed, which is the order of their inputs: a resumed run gives the same bytes as an unbroken one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from realign.errors import Busy, StorageError, UsageError
from realign.records import Dropped, Record, decode, encode

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, stage TEXT NOT NULL, parent TEXT NOT NULL,
    body TEXT NOT NULL, UNIQUE (id, kind));
CREATE INDEX IF NOT EXISTS records_by_kind ON records (kind, seq);
CREATE INDEX IF NOT EXISTS records_by_stage ON records (stage);
CREATE TABLE IF NOT EXISTS done (stage TEXT, item TEXT, PRIMARY KEY (stage, item)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drops (
    seq INTEGER PRIMARY KEY, stage TEXT NOT NULL, step TEXT NOT NULL, record TEXT NOT NULL, kind TEXT NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stages (
    name TEXT PRIMARY KEY, place INTEGER NOT NULL, status TEXT NOT NULL, fingerprint TEXT NOT NULL,
    total INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '',
    started REAL, updated REAL, seconds REAL NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS gates (
    stage TEXT NOT NULL, name TEXT NOT NULL, fingerprint TEXT NOT NULL, body TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (stage, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (
    stage TEXT, name TEXT, value INTEGER NOT NULL, PRIMARY KEY (stage, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, stage TEXT, message TEXT NOT NULL, data TEXT);
"""
DATABASE, LOCK = "run.db", "run.lock"
PACE = "pace"  # the note with a stage's own word on its rate


@dataclass(slots=True)
class Batch:
    """What one step of a stage finished: the inputs it consumed, what came out, and what was dropped with why.

    counts are added to the stage's counters: numbers that no record shows, such as how many prompts were written.
    """

    done: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    drops: list[Dropped] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageState:
    """A stage as the database has it. status: waiting, running, passed, warned, blocked, failed, cancelled, stale.

    total and done count the stage's inputs; times are seconds (started and updated since the epoch).
    """

    name: str
    status: str = "waiting"
    fingerprint: str = ""
    total: int = 0
    done: int = 0
    message: str = ""
    started: float | None = None
    updated: float | None = None
    seconds: float = 0.0
    error: str = ""


class Run:
    """One execution of a workflow in its own folder. Open it to read; enter `writing` to change it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began: dict[str, float] = {}  # stages begun by this process, on a clock that nobody can set back
        self.db = sqlite3.connect(folder / DATABASE, timeout=30.0, isolation_level=None, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.execute("PRAGMA fullfsync=1")
        self.db.executescript(SCHEMA)

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    def close(self) -> None:
        """Close the database. The run can be opened again."""
        self.db.close()

    @classmethod
    def open(cls, folder: Path) -> Run:
        """An existing run. Raises UsageError where there is none."""
        if not (folder / DATABASE).is_file():
            raise UsageError(
                f"No run at {folder}", f"a folder that holds {DATABASE}", "`realign runs` lists the runs it knows"
            )
        return cls(folder)

    @classmethod
    def create(cls, parent: Path, data_type: str, stem: str, today: date | None = None) -> Run:
        """A new run in `parent`: <type>_<stem>_<YYYYMMDD>, with _2, _3 … when that is taken."""
        base = f"{data_type}_{slug(stem)}_{today or date.today():%Y%m%d}"
        parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 10_000):
            folder = parent / (base if attempt == 1 else f"{base}_{attempt}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return cls._made(folder)
        raise UsageError(f"10,000 runs named {base} in {parent}", "a free name", "another output folder")

    @classmethod
    def _made(cls, folder: Path) -> Run:
        """The run in a folder just made; where its database can't be written, the folder goes again."""
        try:
            return cls(folder)
        except sqlite3.Error:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    # -- meta ---------------------------------------------------------------------------------------------------

    def note(self, key: str, value: Any) -> None:
        """Keep one named JSON value with the run."""
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value, sort_keys=True)))

    def noted(self, key: str, default: Any = None) -> Any:
        """The value `note` kept."""
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if row is None else json.loads(row[0])

    # -- the writer's lock --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self, holder: str) -> Iterator[None]:
        """Be the only writer. Raises Busy, naming the holder, when another process is; the lock dies with it."""
        with open(self.folder / LOCK, "a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(
                    f"{self.id} is being written by {self.holder() or 'another process'}",
                    "one writer a run",
                    "wait for it, attach with the same command, or stop that process",
                ) from None
            lock.truncate(0)
            lock.write(f"{holder} (process {os.getpid()} on {socket.gethostname()})")
            lock.flush()
            try:
                yield
            finally:
                lock.truncate(0)

    def holder(self) -> str:
        """Who is writing this run now, or "" for nobody."""
        path = self.folder / LOCK
        if not path.exists():
            return ""
        with open(path, encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read() or "a process that is just starting"
        return ""

    # -- records ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Raises StorageError where run.db was removed: SQLite itself writes on into nowhere."""
        if not is_file(self.folder / DATABASE):
            raise StorageError(
                f"{self.folder / DATABASE} was removed while it was written",
                "a run's folder that nobody else changes",
                "the same command again, which starts anew",
            )
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def commit(self, stage: str, batch: Batch) -> None:
        """Keep a finished batch: its records, its drops, and the inputs it consumed, in one transaction."""
        with self.transaction():
            self.db.executemany(
                "INSERT OR IGNORE INTO records (id, kind, stage, parent, body) VALUES (?, ?, ?, ?, ?)",
                ((r.id, r.kind, stage, r.parent, encode(r)) for r in batch.records),
            )
            self.db.executemany(
                "INSERT INTO drops (stage, step, record, kind, reason, detail) VALUES (?, ?, ?, ?, ?, ?)",
                ((stage, d.step, d.record, d.kind, d.reason, d.detail) for d in batch.drops),
            )
            self.db.executemany("INSERT OR IGNORE INTO done VALUES (?, ?)", ((stage, item) for item in batch.done))
            self.db.executemany(
                "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                ((stage, name, value) for name, value in batch.counts.items()),
            )
            self.db.execute(
                "UPDATE stages SET updated = ?, done = done + ? WHERE name = ?", (time.time(), len(batch.done), stage)
            )

    def records(self, kind: str) -> Iterator[Any]:
        """All records of a kind, in the order in which they were committed."""
        for (body,) in self.db.execute("SELECT body FROM records WHERE kind = ? ORDER BY seq", (kind,)):
            yield decode(kind, body)

    def count(self, kind: str) -> int:
        """How many records of a kind there are."""
        return int(self.db.execute("SELECT COUNT(*) FROM records WHERE kind = ?", (kind,)).fetchone()[0])

    def counter(self, stage: str, name: str) -> int:
        """A counter that the batches of a stage added to."""
        row = self.db.execute("SELECT value FROM counters WHERE stage = ? AND name = ?", (stage, name)).fetchone()
        return int(row[0]) if row else 0

    def done(self, stage: str) -> set[str]:
        """The inputs a stage has consumed already."""
        return {item for (item,) in self.db.execute("SELECT item FROM done WHERE stage = ?", (stage,))}

    def drops(self, stage: str | None = None) -> Iterator[tuple[str, Dropped]]:
        """(stage, drop) in order, of one stage or all."""
        query = "SELECT stage, record, kind, step, reason, detail FROM drops"
        rows = (
            self.db.execute(query + " ORDER BY seq")
            if stage is None
            else self.db.execute(query + " WHERE stage = ? ORDER BY seq", (stage,))
        )
        for name, *fields in rows:
            yield name, Dropped(*fields)

    def drop_counts(self) -> list[tuple[str, str, str, str, int]]:
        """(stage, step, kind, reason, count), most frequent first within a stage."""
        return list(
            self.db.execute(
                "SELECT stage, step, kind, reason, COUNT(*) AS n FROM drops GROUP BY stage, step, kind, reason"
                " ORDER BY MIN(seq), n DESC"
            )
        )

    # -- stages -------------------------------------------------------------------------------------------------

    def stage(self, name: str) -> StageState:
        """The state of a stage; waiting when it never started."""
        columns = "name, status, fingerprint, total, done, message, started, updated, seconds, error"
        row = self.db.execute(f"SELECT {columns} FROM stages WHERE name = ?", (name,)).fetchone()
        return StageState(*row) if row else StageState(name)

    def begin(self, name: str, place: int, fingerprint: str) -> None:
        """Mark a stage as running. Output made under another fingerprint is removed, here and in every later stage."""
        with self.transaction():
            row = self.db.execute("SELECT fingerprint FROM stages WHERE name = ?", (name,)).fetchone()
            if row is None or row[0] != fingerprint:
                later = [n for (n,) in self.db.execute("SELECT name FROM stages WHERE place >= ?", (place,))]
                for stage in later:
                    self._forget(stage)
            self.db.execute(
                "INSERT INTO stages (name, place, status, fingerprint, started, updated)"
                " VALUES (?, ?, 'running', ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET status = 'running', started = excluded.started,"
                " updated = excluded.updated, error = '', message = ''",
                (name, place, fingerprint, time.time(), time.time()),
            )
        self.began[name] = time.monotonic()

    def _forget(self, stage: str) -> None:
        for table in ("records", "drops", "done", "gates", "counters"):
            self.db.execute(f"DELETE FROM {table} WHERE stage = ?", (stage,))
        self.db.execute("DELETE FROM stages WHERE name = ?", (stage,))

    def progress(self, stage: str, done: int | None, total: int | None, message: str) -> None:
        """Say how far a stage is, in inputs. None leaves the total, and the count that the committed batches give."""
        self.db.execute(
            "UPDATE stages SET done = COALESCE(?, done), total = COALESCE(?, total), message = ?, updated = ?"
            " WHERE name = ?",
            (done, total, message, time.time(), stage),
        )

    def end(self, stage: str, status: str, error: str = "") -> None:
        """Close a stage with its status; the seconds since it began are added to what it has used before."""
        now, began = time.time(), self.began.pop(stage, None)
        took = None if began is None else time.monotonic() - began
        self.db.execute(
            "UPDATE stages SET status = ?, error = ?, updated = ?,"
            " seconds = seconds + COALESCE(?, MAX(? - started, 0)) WHERE name = ?",
            (status, error, now, took, now, stage),
        )

    def event(self, stage: str, message: str, data: Any = None) -> None:
        """Keep one line of what happened, with data."""
        self.db.execute(
            "INSERT INTO events (at, stage, message, data) VALUES (?, ?, ?, ?)",
            (time.time(), stage, message, json.dumps(data, sort_keys=True)),
        )

    def events(self, skip: int = 0) -> list[tuple[float, str, str, Any]]:
        """(seconds since the epoch, stage, message, data) in order, without the first `skip`."""
        rows = self.db.execute("SELECT at, stage, message, data FROM events ORDER BY seq LIMIT -1 OFFSET ?", (skip,))
        return [(at, stage, message, json.loads(data)) for at, stage, message, data in rows]


TROUBLE = {
    sqlite3.SQLITE_FULL: ("the disk is full", "make room"),
    sqlite3.SQLITE_IOERR: ("the disk can't be written or read", "look whether it is full or was unplugged"),
    sqlite3.SQLITE_READONLY: ("it can't be written", "check the permissions of it and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("it can't be opened", "check the permissions of it and its folder"),
    sqlite3.SQLITE_BUSY: ("another program holds it", "close that program"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "move the run's folder away and start again"),
    sqlite3.SQLITE_NOTADB: ("it is no database of a run", "move the run's folder away and start again"),
}


def storage_error(error: OSError | sqlite3.Error) -> StorageError:
    """What a disk, folder or database refused, in words."""
    if isinstance(error, FileNotFoundError):
        found = f"{error.filename or error} is not there"
        return StorageError(found, "every file that the run was started with", "put it back, then the same command")
    if isinstance(error, OSError):
        where = error.filename or "A file or a disk"
        return StorageError(
            f"{where}: {error.strerror or error}",
            "a disk with room, and permission",
            "the same command when it is mended",
        )
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte is the kind
    found, fix = TROUBLE.get(code, (str(error), "move the run's folder away and start again"))
    return StorageError(f"{DATABASE}: {found} ({error})", "a database that can be read and written", fix)


def slug(text: str) -> str:
    """A file name made of lower-case letters, digits and underscores, 60 at most, whatever `text` holds."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60].strip("_") or "document"


def is_file(path: Path | str) -> bool:
    """Whether there is a file; False, and no error, for a name that is too long, or one in a folder without rights."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, lines: Iterable[str]) -> str:
    """Write `lines` beside `path`, flush to the disk, rename: a reader never sees half a file. Gives the SHA-256."""
    part, digest = path.with_name(path.name + ".part"), hashlib.sha256()
    with open(part, "wb") as file:
        for line in lines:
            data = line.encode("utf-8")
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    return digest.hexdigest()
