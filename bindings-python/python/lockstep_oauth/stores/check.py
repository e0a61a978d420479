"""The storage check kit: holds any store to the contract of ``lockstep_oauth.stores``.

With pytest, each rule as a test of its own::

    @pytest.mark.parametrize("rule", lockstep_oauth.stores.check.RULES, ids=str)
    def test_my_store(rule):
        rule.check(lambda: MyStore(empty_database()))

Without: ``check_store(lambda: MyStore(empty_database()))``. The function that is given opens a store with nothing in it.
Give ``twin`` too where several processes share the data: from a store it makes another one over the same data.
Stores of coroutines are checked on an event loop of the kit's own, in a thread.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .._native import Record, Write
from . import KEPT_SECONDS, AnyStore

__all__ = ["RULES", "BrokenStore", "Rule", "check_store"]

NEVER = 2**53 - 1
HOUR = 3_600
THREADS = 8
ROUNDS = 25


class BrokenStore(AssertionError):
    """A store breaks a rule. Do not use it: tokens would be redeemed twice, or revoked ones would live on."""


@dataclass(frozen=True)
class Rule:
    """One rule of the contract."""

    name: str
    _check: Callable[[_Checked], None] = field(repr=False)

    def __str__(self) -> str:
        return self.name

    def check(self, open_empty: Callable[[], AnyStore], twin: Callable[[Any], AnyStore] | None = None) -> None:
        """Raise BrokenStore unless the store keeps this rule."""
        checked = _Checked(open_empty, twin)
        try:
            self._check(checked)
        except BrokenStore:
            raise
        except Exception as failure:
            raise BrokenStore(f"{self.name}: {type(failure).__name__}: {failure}") from failure
        finally:
            checked.end()


RULES: list[Rule] = []


def check_store(open_empty: Callable[[], AnyStore], twin: Callable[[Any], AnyStore] | None = None) -> None:
    """Hold a store to every rule; raise BrokenStore at the first that it breaks."""
    for rule in RULES:
        rule.check(open_empty, twin)


def _rule(check: Callable[[_Checked], None]) -> Callable[[_Checked], None]:
    RULES.append(Rule(check.__name__.removeprefix("_").replace("_", " "), check))
    return check


class _Checked:
    """A store as the rules see it: plain calls, whether it is one of coroutines or not."""

    def __init__(self, open_empty: Callable[[], Any], twin: Callable[[Any], Any] | None) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: list[Any] = []
        self._twin = twin
        self.store: Any = self._opened(open_empty)

    def _opened(self, make: Callable[..., Any], *arguments: Any) -> Any:
        store = self._plain(make(*arguments))
        self._open.append(store)
        return store

    def twin(self) -> Any:
        return None if self._twin is None else self._opened(self._twin, self.store)

    def _plain(self, answer: Any) -> Any:
        if not inspect.isawaitable(answer):
            return answer
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="lockstep-check", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(_awaited(answer), self._loop).result(60)

    def load(self, *keys: str, of: Any = None) -> list[Record | None]:
        records = self._plain((of or self.store).load(list(keys)))
        _ensure(isinstance(records, list), f"load returned {type(records).__name__}, not a list")
        _ensure(len(records) == len(keys), f"load returned {len(records)} records for {len(keys)} keys")
        for record in records:
            _ensure(record is None or type(record) is Record, f"load returned {type(record).__name__}, not a Record")
        return list(records)

    def commit(self, write: Write, of: Any = None) -> str:
        outcome = self._plain((of or self.store).commit(write))
        _ensure(outcome in ("committed", "conflict", "unknown"), f"commit returned {outcome!r}")
        return str(outcome)

    def list(self, subject: str) -> dict[str, Record]:
        listed = self._plain(self.store.list(subject))
        found = dict(listed)
        _ensure(len(found) == len(listed), "list returned a key twice")
        return found

    def purge(self, now: int) -> int:
        return int(self._plain(self.store.purge(now)))

    def end(self) -> None:
        for store in self._open:
            self._plain(store.close())
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)

    # What the rules say, in their words.

    def commits(self, write: Write) -> None:
        outcome = self.commit(write)
        _ensure(outcome == "committed", f"a write at the expected version was answered {outcome}")

    def conflicts(self, write: Write) -> None:
        before = self.load(write.key)[0]
        outcome = self.commit(write)
        _ensure(outcome == "conflict", f"a write that did not expect what is there was answered {outcome}")
        _ensure(self.load(write.key)[0] == before, "a conflict changed the record")

    def holds(self, write: Write) -> None:
        _same(self.load(write.key)[0], write)


async def _awaited(answer: Any) -> Any:
    return await answer


def _ensure(holds: bool, message: str) -> None:
    if not holds:
        raise BrokenStore(message)


def _same(record: Record | None, write: Write) -> None:
    _ensure(record is not None, f"the record of {write.key!r} is gone")
    assert record is not None
    _ensure(record.version == write.version, f"the version is {record.version}, not {write.version}: stores must not number")
    _ensure(record.value == write.value, "the value came back changed")
    _ensure(record.expires_at == write.expires_at, f"expires_at is {record.expires_at}, not {write.expires_at}")


def _write(
    key: str = "AAAAAAAAAAA/grant/a",
    expect: int | None = None,
    version: int = 1,
    value: bytes = b"value",
    expires_in: int = HOUR,
    **labels: str,
) -> Write:
    return Write(key, expect, version, value, int(time.time()) + expires_in, **labels)


# --- Reading ----------------------------------------------------------------------------------------------------------


@_rule
def _a_key_that_was_never_written_is_none(c: _Checked) -> None:
    _ensure(c.load("AAAAAAAAAAA/grant/none") == [None], "a record came out of nothing")


@_rule
def _records_come_in_the_order_of_the_keys(c: _Checked) -> None:
    writes = [_write(f"AAAAAAAAAAA/grant/{name}", value=name.encode()) for name in ("b", "a", "c")]
    for write in writes:
        c.commits(write)
    for order in ((0, 1, 2), (2, 0), (1, 2, 0)):
        wanted = [writes[index] for index in order]
        records = c.load(*[write.key for write in wanted], "AAAAAAAAAAA/grant/none")
        _ensure(records[-1] is None, "a record came out of nothing")
        for record, write in zip(records[:-1], wanted, strict=True):
            _same(record, write)


@_rule
def _an_acknowledged_write_is_seen_by_every_later_load(c: _Checked) -> None:
    twin = c.twin()
    write = _write()
    c.load(write.key)
    if twin is not None:
        c.load(write.key, of=twin)
    c.commits(write)
    for version in range(2, 30):
        c.holds(write)
        if twin is not None:
            _same(c.load(write.key, of=twin)[0], write)
        write = _write(expect=version - 1, version=version, value=b"%d" % version)
        outcome = c.commit(write, of=twin if version % 2 else None)
        _ensure(outcome == "committed", f"a write at the expected version was answered {outcome}")
    _same(_in_thread(lambda: c.load(write.key)[0]), write)


# --- Writing ----------------------------------------------------------------------------------------------------------


@_rule
def _a_new_record_needs_an_absent_key(c: _Checked) -> None:
    first = _write(version=7)
    c.commits(first)
    c.holds(first)
    c.conflicts(_write(version=8, value=b"other"))
    c.conflicts(_write(version=7))


@_rule
def _an_update_needs_exactly_the_version_that_is_there(c: _Checked) -> None:
    c.commits(_write(version=10))
    for wrong in (9, 11, 1, 0, NEVER):
        c.conflicts(_write(expect=wrong, version=12, value=b"wrong"))
    second = _write(expect=10, version=11, value=b"second")
    c.commits(second)
    c.holds(second)
    c.conflicts(_write(expect=10, version=11, value=b"late"))


@_rule
def _an_update_of_an_absent_key_conflicts_and_creates_nothing(c: _Checked) -> None:
    c.conflicts(_write(expect=1, version=2))
    c.conflicts(_write(expect=0, version=1))
    _ensure(c.load(_write().key) == [None], "a conflict created a record")


@_rule
def _versions_are_stored_as_they_are(c: _Checked) -> None:
    versions = [2**48 - 1, 2**48, NEVER, 1, 2**31, 2**32 + 1, 5]
    expect = None
    for version in versions:
        write = _write(expect=expect, version=version, value=b"%d" % version)
        c.commits(write)
        c.holds(write)
        expect = version


@_rule
def _other_keys_are_left_alone(c: _Checked) -> None:
    writes = [_write(f"AAAAAAAAAAA/grant/{name}", value=name.encode()) for name in ("a", "ab", "A", "a/b")]
    for write in writes:
        c.commits(write)
    c.commits(_write(writes[0].key, expect=1, version=2, value=b"changed"))
    for write in writes[1:]:
        c.holds(write)


@_rule
def _any_key_of_printable_ascii_works(c: _Checked) -> None:
    printable = "".join(map(chr, range(0x20, 0x7F)))
    keys = [printable, printable.swapcase(), "k" * 128, "k" * 127 + "K", "%", "_", "*", "'; DROP TABLE x; --", "{tag}x", "a b", "a  b"]
    writes = [_write(key, version=number + 1, value=b"%d" % number) for number, key in enumerate(keys)]
    for write in writes:
        c.commits(write)
    for write in writes:
        c.holds(write)


@_rule
def _any_bytes_up_to_64_kib_come_back_as_they_were(c: _Checked) -> None:
    values = [b"{}", bytes(range(256)), b"\x00", b"\xff\xfe\x00", "é\u2028".encode(), b" x \r\n", os.urandom(8 * 1024), os.urandom(64 * 1024)]
    for number, value in enumerate(values):
        write = _write(f"AAAAAAAAAAA/grant/{number}", value=value)
        c.commits(write)
        c.holds(write)


# --- Expiry -----------------------------------------------------------------------------------------------------------


@_rule
def _an_expired_record_stays_for_a_day_and_can_be_overwritten(c: _Checked) -> None:
    now = int(time.time())
    for age in (1, HOUR, KEPT_SECONDS - 60):
        write = _write(f"AAAAAAAAAAA/grant/{age}", expires_in=-age)
        c.commits(write)
        c.purge(now)
        c.holds(write)
        c.conflicts(_write(write.key, version=9))
        again = _write(write.key, expect=1, version=2, value=b"again")
        c.commits(again)
        c.holds(again)


@_rule
def _purging_removes_what_expired_more_than_a_day_ago_and_nothing_else(c: _Checked) -> None:
    now = int(time.time())
    kept = [_write("AAAAAAAAAAA/grant/live"), _write("AAAAAAAAAAA/grant/late", expires_in=-KEPT_SECONDS + 60)]
    kept.append(Write("AAAAAAAAAAA/subject/never", None, 1, b"counter", NEVER))
    for write in kept:
        c.commits(write)
    for number in range(3):
        c.commits(_write(f"AAAAAAAAAAA/grant/old{number}", expires_in=-KEPT_SECONDS - 60, subject="alice"))
    removed = c.purge(now)
    # A store whose database removes old records by itself may have nothing left to do.
    _ensure(removed in (0, 3), f"purge says that it removed {removed} records of 3")
    _ensure(c.load(*[f"AAAAAAAAAAA/grant/old{number}" for number in range(3)]) == [None] * 3, "an old record was not removed")
    _ensure(c.list("alice") == {}, "list returns what was removed")
    for write in kept:
        c.holds(write)
    c.commits(_write("AAAAAAAAAAA/grant/old0", version=77))


# --- Labels -----------------------------------------------------------------------------------------------------------


@_rule
def _list_returns_exactly_the_records_of_the_subject(c: _Checked) -> None:
    subjects = ["alice", "Alice", "alice ", "alic", "%", "al_ce", "älice", "a" * 255]
    writes = [_write(f"AAAAAAAAAAA/grant/{number}", value=b"%d" % number, subject=subject, client="app") for number, subject in enumerate(subjects)]
    for write in writes:
        c.commits(write)
    c.commits(_write("AAAAAAAAAAA/client/x"))
    for subject, write in zip(subjects, writes, strict=True):
        listed = c.list(subject)
        _ensure(list(listed) == [write.key], f"list({subject!r}) returned {sorted(listed)}")
        _same(listed[write.key], write)
    _ensure(c.list("nobody") == {}, "list found records of nobody")


@_rule
def _list_follows_the_last_write(c: _Checked) -> None:
    c.commits(_write(subject="alice"))
    c.commits(_write("AAAAAAAAAAA/grant/b", subject="alice"))
    second = _write(expect=1, version=2, value=b"second", subject="alice")
    c.commits(second)
    _ensure(len(c.list("alice")) == 2, "list lost a record")
    _same(c.list("alice").get(second.key), second)
    c.conflicts(_write(expect=1, version=3, subject="mallory"))
    _ensure(c.list("mallory") == {}, "a conflict changed a label")
    c.commits(_write(expect=2, version=3, subject="bob"))
    _ensure(list(c.list("bob")) == [second.key] and second.key not in c.list("alice"), "list did not follow a changed label")
    c.commits(_write(expect=3, version=4))
    _ensure(c.list("bob") == {}, "list did not follow a removed label")


# --- Races ------------------------------------------------------------------------------------------------------------


@_rule
def _of_many_that_create_one_record_exactly_one_wins(c: _Checked) -> None:
    stores = [c.store, c.twin() or c.store]
    for number in range(ROUNDS):
        key = f"AAAAAAAAAAA/grant/{number}"
        writes = [_write(key, version=100 + index, value=b"%d" % index) for index in range(THREADS)]
        outcomes = _race([partial(c.commit, write, stores[index % 2]) for index, write in enumerate(writes)])
        _one_winner(c, key, writes, outcomes)


@_rule
def _of_many_that_update_one_version_exactly_one_wins(c: _Checked) -> None:
    stores = [c.store, c.twin() or c.store]
    for number in range(ROUNDS):
        key = f"AAAAAAAAAAA/grant/{number}"
        c.commits(_write(key, version=1))
        writes = [_write(key, expect=1, version=2, value=b"%d" % index) for index in range(THREADS)]
        outcomes = _race([partial(c.commit, write, stores[index % 2]) for index, write in enumerate(writes)])
        _one_winner(c, key, writes, outcomes)


def _one_winner(c: _Checked, key: str, writes: list[Write], outcomes: list[str]) -> None:
    winners = [write for write, outcome in zip(writes, outcomes, strict=True) if outcome == "committed"]
    _ensure(len(winners) <= 1, f"{len(winners)} writers won the same race")
    record = c.load(key)[0]
    possible = winners or [write for write, outcome in zip(writes, outcomes, strict=True) if outcome == "unknown"]
    _ensure(bool(possible), "everybody lost the race")
    _ensure(any(record is not None and record.value == write.value for write in possible), "what is stored is not the winner's")


@_rule
def _no_acknowledged_update_is_lost(c: _Checked) -> None:
    key = "AAAAAAAAAAA/subject/counter"
    c.commits(_write(key, value=b"0"))
    stores = [c.store, c.twin() or c.store]

    def count(store: Any) -> int:
        acknowledged = 0
        while acknowledged < ROUNDS:
            record = c.load(key, of=store)[0]
            assert record is not None
            number = int(record.value) + 1
            write = _write(key, expect=record.version, version=record.version + 1, value=b"%d" % number)
            outcome = c.commit(write, of=store)
            _ensure(outcome != "unknown", "a healthy store does not know what became of a write")
            acknowledged += outcome == "committed"
        return acknowledged

    total = sum(_race([partial(count, stores[index % 2]) for index in range(THREADS)]))
    record = c.load(key)[0]
    assert record is not None
    _ensure(int(record.value) == total, f"{total} updates were acknowledged, {int(record.value)} are there")
    _ensure(record.version == total + 1, "the version does not belong to the value")


@_rule
def _a_record_is_always_whole(c: _Checked) -> None:
    key = "AAAAAAAAAAA/grant/torn"
    c.commits(_write(key, value=b"1" * 4096))
    until = time.monotonic() + 10
    reading = [True, True]

    def read(reader: int) -> None:
        try:
            seen: set[int] = set()
            while len(seen) < ROUNDS and time.monotonic() < until:
                record = c.load(key)[0]
                _ensure(record is not None, "a record was gone while it was overwritten")
                assert record is not None
                _ensure(record.value == b"%d" % (record.version % 10) * 4096, "a record was half old and half new")
                seen.add(record.version)
        finally:
            reading[reader] = False

    def write() -> None:
        version = 1
        while any(reading):
            version += 1
            c.commits(_write(key, expect=version - 1, version=version, value=b"%d" % (version % 10) * 4096))

    _race([write, partial(read, 0), partial(read, 1)])


def _race(runners: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all at the same instant, with threads that change as often as they can."""
    start = threading.Barrier(len(runners))
    results: list[Any] = [None] * len(runners)
    failures: list[BaseException] = []

    def run(index: int) -> None:
        try:
            start.wait()
            results[index] = runners[index]()
        except BaseException as failure:
            failures.append(failure)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=run, args=(index,)) for index in range(len(runners))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if failures:
        raise failures[0]
    return results


def _in_thread(run: Callable[[], Any]) -> Any:
    return _race([run])[0]
