"""The stores keep the contract, the kit notices stores that do not, and SQLite survives what kills a process."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lockstep_oauth._native import Record, Write
from lockstep_oauth.errors import ConfigurationError, StoreError
from lockstep_oauth.stores import AsyncStore, MemoryStore, SQLiteStore, Store, open_store, sqlite
from lockstep_oauth.stores.check import RULES, BrokenStore, Rule, check_store

NEVER = 2**53 - 1
DAY = 86_400


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_memory_keeps_the_contract(rule: Rule) -> None:
    rule.check(MemoryStore)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_sqlite_keeps_the_contract(rule: Rule, tmp_path: Path) -> None:
    rule.check(lambda: SQLiteStore(tmp_path / "oauth.db"), twin=lambda store: SQLiteStore(store.path))


def test_a_store_of_coroutines_keeps_the_contract() -> None:
    class Coroutines:
        def __init__(self) -> None:
            self.inner = MemoryStore()

        async def load(self, keys: Any) -> Any:
            await asyncio.sleep(0)
            return self.inner.load(keys)

        async def commit(self, write: Write) -> Any:
            await asyncio.sleep(0)
            return self.inner.commit(write)

        async def list(self, subject: str) -> Any:
            return self.inner.list(subject)

        async def purge(self, now: int) -> int:
            return self.inner.purge(now)

        async def close(self) -> None:
            self.inner.close()

    assert isinstance(Coroutines(), AsyncStore)
    check_store(Coroutines)


# --- Stores that are broken, each in one way --------------------------------------------------------------------------


class Unconditional(MemoryStore):
    def commit(self, write: Write) -> Any:
        with self._lock:
            self._records[write.key], self._writes[write.key] = write.record, write
        return "committed"


class ChecksOnlyThatSomethingIsThere(MemoryStore):
    def commit(self, write: Write) -> Any:
        stored = self._records.get(write.key)
        return super().commit(_again(write, expect=stored and stored.version)) if stored and write.expect is not None else super().commit(write)


class AcceptsHigherVersions(MemoryStore):
    def commit(self, write: Write) -> Any:
        stored = self._records.get(write.key)
        if stored and write.expect is not None and write.expect > stored.version:
            return super().commit(_again(write, expect=stored.version))
        return super().commit(write)


class UpdateCreates(MemoryStore):
    def commit(self, write: Write) -> Any:
        return super().commit(_again(write, expect=None) if write.key not in self._records else write)


class ReadsThenWrites(MemoryStore):
    """No lock around the two: the classic."""

    def commit(self, write: Write) -> Any:
        stored = self._records.get(write.key)
        if (stored and stored.version) != write.expect:
            return "conflict"
        time.sleep(0)
        self._records[write.key], self._writes[write.key] = write.record, write
        return "committed"


class ForgetsToSayConflict(MemoryStore):
    def commit(self, write: Write) -> Any:
        super().commit(write)
        return "committed"


class SaysConflictButWrites(MemoryStore):
    def commit(self, write: Write) -> Any:
        outcome = super().commit(write)
        if outcome == "conflict":
            self._records[write.key] = write.record
        return outcome


class SaysNothing(MemoryStore):
    def commit(self, write: Write) -> Any:
        super().commit(write)


class NumbersVersionsItself(MemoryStore):
    def commit(self, write: Write) -> Any:
        return super().commit(_again(write, version=(write.expect or 0) + 1))


class NarrowVersions(MemoryStore):
    def commit(self, write: Write) -> Any:
        narrow = None if write.expect is None else write.expect % 2**32
        return super().commit(_again(write, expect=narrow, version=write.version % 2**32))


class LowerCaseKeys(MemoryStore):
    def load(self, keys: Any) -> Any:
        return super().load([key.lower() for key in keys])

    def commit(self, write: Write) -> Any:
        return super().commit(_again(write, key=write.key.lower()))


class ShortKeys(MemoryStore):
    def load(self, keys: Any) -> Any:
        return super().load([key[:100] for key in keys])

    def commit(self, write: Write) -> Any:
        return super().commit(_again(write, key=write.key[:100]))


class TextValues(MemoryStore):
    def commit(self, write: Write) -> Any:
        return super().commit(_again(write, value=write.value.decode("utf-8", "replace").encode()))


class CutsValues(MemoryStore):
    def commit(self, write: Write) -> Any:
        return super().commit(_again(write, value=write.value[: 32 * 1024]))


class AnyOrder(MemoryStore):
    def load(self, keys: Any) -> Any:
        order = sorted(keys)
        return super().load(order)


class LeavesOutMissing(MemoryStore):
    def load(self, keys: Any) -> Any:
        return [record for record in super().load(keys) if record is not None]


class CachesReads(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.cache: dict[str, Any] = {}

    def load(self, keys: Any) -> Any:
        return [self.cache.setdefault(key, record) for key, record in zip(keys, super().load(keys), strict=True)]


class ExpiresAtOnce(MemoryStore):
    def load(self, keys: Any) -> Any:
        for key in keys:
            if key in self._records and self._records[key].expires_at < time.time():
                del self._records[key], self._writes[key]
        return super().load(keys)


class PurgesAtOnce(MemoryStore):
    def purge(self, now: int) -> int:
        return super().purge(now + DAY)


class NeverPurges(MemoryStore):
    def purge(self, now: int) -> int:
        return 0


class PurgesEverything(MemoryStore):
    def purge(self, now: int) -> int:
        return super().purge(NEVER * 2)


class ListsByPrefix(MemoryStore):
    def list(self, subject: str) -> Any:
        return [(key, write.record) for key, write in self._writes.items() if (write.subject or "").startswith(subject)]


class ListsFirstLabels(MemoryStore):
    def commit(self, write: Write) -> Any:
        first = self._writes.get(write.key)
        return super().commit(_again(write, subject=first.subject) if first else write)


class ListsWithoutCase(MemoryStore):
    def list(self, subject: str) -> Any:
        return [(key, write.record) for key, write in self._writes.items() if (write.subject or "").lower() == subject.lower()]


class TearsRecords(MemoryStore):
    def load(self, keys: Any) -> Any:
        versions = [record and record.version for record in super().load(keys)]
        time.sleep(0.0005)
        return [record and Record(version or 0, record.value, record.expires_at) for version, record in zip(versions, super().load(keys), strict=True)]


class Raises(MemoryStore):
    def commit(self, write: Write) -> Any:
        raise RuntimeError("not today")


def _again(write: Write, **changes: Any) -> Write:
    names = ("key", "expect", "version", "value", "expires_at", "subject", "client")
    return Write(**{**{name: getattr(write, name) for name in names}, **changes})


BROKEN = [
    Unconditional, ChecksOnlyThatSomethingIsThere, AcceptsHigherVersions, UpdateCreates, ReadsThenWrites,
    ForgetsToSayConflict, SaysConflictButWrites, SaysNothing, NumbersVersionsItself, NarrowVersions, LowerCaseKeys,
    ShortKeys, TextValues, CutsValues, AnyOrder, LeavesOutMissing, CachesReads, ExpiresAtOnce, PurgesAtOnce,
    NeverPurges, PurgesEverything, ListsByPrefix, ListsFirstLabels, ListsWithoutCase, TearsRecords, Raises,
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_the_kit_notices_a_broken_store(broken: Any) -> None:
    with pytest.raises(BrokenStore):
        check_store(broken)


# --- SQLite -----------------------------------------------------------------------------------------------------------


def test_the_file_is_private_durable_and_marked(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "oauth.db")
    store.commit(Write("k", None, 1, b"v", NEVER))
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert store._writer is not None
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._writer.execute("PRAGMA application_id").fetchone() == (sqlite.APPLICATION_ID,)
    store.close()


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux says which locks there are")
def test_opening_a_file_again_keeps_the_locks_that_this_process_has_on_it(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "oauth.db")
    file = store.path.stat()

    def locks() -> list[str]:
        ours = (str(os.getpid()), f":{file.st_ino}")
        return [line for line in Path("/proc/locks").read_text().splitlines() if line.split()[4] == ours[0] and line.split()[5].endswith(ours[1])]

    assert locks()  # while a connection is open; without them another process would take itself for the last one
    again = SQLiteStore(store.path)
    again.close()
    assert locks()
    store.close()
    assert not locks()


def test_weaker_durability_is_chosen_by_name_and_warned_about(tmp_path: Path, caplog: Any) -> None:
    store = SQLiteStore(tmp_path / "oauth.db", durable=False)
    assert store._writer is not None
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (1,)
    assert "power cut" in caplog.text
    store.close()


def test_records_survive_closing(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "oauth.db")
    store.commit(Write("k", None, 1, b"v", NEVER, "alice", "app"))
    store.close()
    again = SQLiteStore(tmp_path / "oauth.db")
    assert again.load(["k"]) == [Record(1, b"v", NEVER)]
    assert again.list("alice") == [("k", Record(1, b"v", NEVER))]
    again.close()


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    SQLiteStore(tmp_path / "oauth.db").close()
    with sqlite3.connect(tmp_path / "oauth.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="newer version"):
        SQLiteStore(tmp_path / "oauth.db")


def test_what_is_no_database_and_where_none_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello " * 1000)
    with pytest.raises(ConfigurationError, match="store: .*not a database"):
        SQLiteStore(tmp_path / "text")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        SQLiteStore(tmp_path / "no" / "such" / "directory.db")


def test_a_writer_that_waits_too_long_has_written_nothing(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "oauth.db", busy_seconds=0.05)
    other = sqlite3.connect(tmp_path / "oauth.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.commit(Write("k", None, 1, b"v", NEVER)) == "conflict"
    assert store.load(["k"]) == [None], "a load does not wait for a writer"
    other.execute("ROLLBACK")
    assert store.commit(Write("k", None, 1, b"v", NEVER)) == "committed"
    store.close()


def test_a_fault_whose_outcome_is_unknown_says_so_and_the_next_commit_works(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "oauth.db")

    class Faulty:
        def execute(self, *_: Any) -> Any:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

        def close(self) -> None:
            pass

    real, store._writer = store._writer, Faulty()  # type: ignore[assignment]
    assert store.commit(Write("k", None, 1, b"v", NEVER)) == "unknown"
    assert store.commit(Write("k", None, 1, b"v", NEVER)) == "committed"
    assert real is not None
    real.close()
    store.close()


def test_a_store_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "oauth.db")
    store.close()
    with pytest.raises(StoreError):
        store.load(["k"])


def test_old_records_are_removed_along_the_way(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "oauth.db")
    old = int(time.time()) - DAY - 60
    for number in range(sqlite.PURGED_AT_ONCE + 10):
        store.commit(Write(f"old{number}", None, 1, b"v", old))
    store._purge_at = time.monotonic()
    store.commit(Write("a", None, 1, b"v", NEVER))
    store.commit(Write("b", None, 1, b"v", NEVER))
    assert store.load([f"old{number}" for number in (0, 5, sqlite.PURGED_AT_ONCE + 9)]) == [None] * 3
    assert store._purge_at > time.monotonic() + 100
    assert None not in store.load(["a", "b"])
    store.close()


def test_memory_forgets_old_records_along_the_way() -> None:
    store = MemoryStore()
    store.commit(Write("old", None, 1, b"v", int(time.time()) - DAY - 60))
    store._purge_at = time.monotonic()
    store.commit(Write("new", None, 1, b"v", NEVER))
    assert store.load(["old"]) == [None]


def test_a_forked_child_opens_connections_of_its_own(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "oauth.db")
    store.commit(Write("k", None, 1, b"v", NEVER))
    child = os.fork()
    if child == 0:
        try:
            fresh = store._reader is None and store._writer is None
            wrote = store.commit(Write("k", 1, 2, b"child", NEVER))
            os._exit(0 if fresh and wrote == "committed" else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert store.load(["k"]) == [Record(2, b"child", NEVER)]
    assert store.commit(Write("k", 2, 3, b"parent", NEVER)) == "committed"
    store.close()


def test_many_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    program = "import sys; from lockstep_oauth.stores.sqlite import SQLiteStore; SQLiteStore(sys.argv[1]).close()"
    processes = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "oauth.db")]) for _ in range(6)]
    assert [process.wait(60) for process in processes] == [0] * 6


WRITER = textwrap.dedent("""
    import sys
    from lockstep_oauth._native import Write
    from lockstep_oauth.stores.sqlite import SQLiteStore

    store = SQLiteStore(sys.argv[1])
    key = sys.argv[2]
    record = store.load([key])[0]
    version = record.version if record else None
    print("ready", flush=True)
    while True:
        following = (version or 0) + 1
        write = Write(key, version, following, b"%d " % following * 500, 2**53 - 1, "alice")
        assert store.commit(write) == "committed"
        version = following
        print(following, flush=True)
""")


def test_no_acknowledged_write_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    path, chance = tmp_path / "oauth.db", random.Random(7)
    for _ in range(8):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"key{number}"], stdout=subprocess.PIPE, text=True)
            for number in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.02, 0.3))
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        acknowledged = {}
        for number, writer in enumerate(writers):
            lines = writer.communicate()[0].splitlines()
            acknowledged[f"key{number}"] = max((int(line) for line in lines), default=0)
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        store = SQLiteStore(path)
        for key, version in acknowledged.items():
            record = store.load([key])[0]
            found = record.version if record else 0
            # One more may have been written than was acknowledged, and never one less.
            assert found >= version
            assert record is None or record.value == b"%d " % found * 500
        store.close()
    assert found > 10, "the test has written next to nothing"


# --- Choosing a store -------------------------------------------------------------------------------------------------


def test_a_store_is_opened_by_its_url(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_store("memory:"), MemoryStore)
    relative = open_store("sqlite:///oauth.db")
    assert isinstance(relative, SQLiteStore)
    assert relative.path == Path("oauth.db")
    absolute = open_store(f"sqlite:///{tmp_path}/other.db")
    assert isinstance(absolute, SQLiteStore)
    assert absolute.path == tmp_path / "other.db"
    store = MemoryStore()
    assert open_store(store) is store
    assert isinstance(store, Store)


@pytest.mark.parametrize("where", ["", "oauth.db", "sqlite://oauth.db", "sqlite:", "sqlite:///", "sqlite:///:memory:", "mysql://x"])
def test_what_names_no_store_is_refused_with_what_would(where: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:///"):
        open_store(where)


def test_an_object_that_is_no_store_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="lacks load, commit"):
        open_store(object())  # type: ignore[arg-type]


def test_threads_may_share_one_store(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "oauth.db")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for version in range(1, 20):
                assert store.commit(Write(f"k{number}", version - 1 or None, version, b"v", NEVER)) == "committed"
                assert store.load([f"k{number}"]) == [Record(version, b"v", NEVER)]
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    store.close()
