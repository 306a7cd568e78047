"""Signed-in browsers: in Redis where there is one, else in PostgreSQL, behind one small interface.

An id is known here only by its SHA-256. Both kinds keep the same facts; whether a session is too old is decided above,
from the times it bears, so both kinds answer alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol, cast
from uuid import UUID

import msgspec

from castline.model.account import Session
from castline.store.pool import Store
from castline.store.redis_door import open_redis, translated_redis_errors
from castline.store.rows import find_one, load_all, save
from castline.store.sql import load_sql

if TYPE_CHECKING:
    from redis import Redis

_SQL: Final = load_sql("sessions")


class SessionStore(Protocol):
    """Where sessions are kept."""

    def create(self, session: Session) -> None:
        """The session is kept."""

    def find(self, session_hash: bytes) -> Session | None:
        """The session of a hashed id, however old; None if there is none."""

    def load(self, user_id: UUID) -> list[Session]:
        """The person's sessions, the one seen last first."""

    def touch(self, session: Session, at: datetime) -> None:
        """The session was used at `at`."""

    def delete(self, session: Session) -> None:
        """The session opens nothing any more."""

    def delete_all(self, user_id: UUID) -> int:
        """No session of the person opens anything any more; returns how many there were."""

    def delete_ended(self, at: datetime, idle: timedelta) -> int:
        """What nobody can use any more is gone; returns how many were."""


def open_sessions(store: Store) -> SessionStore:
    """Sessions in the Redis of the settings, else in the store's PostgreSQL."""
    url = store.settings.redis_url
    return RedisSessions(url, open_redis(url)) if url else PostgresSessions(store)


@dataclass(frozen=True, slots=True)
class PostgresSessions:
    """Sessions as rows; sign-in comes before a tenant is known, so in the system role."""

    store: Store

    def create(self, session: Session) -> None:
        self._save("create_session", _facts(session))

    def find(self, session_hash: bytes) -> Session | None:
        with self.store.system() as connection:
            return find_one(connection, Session, _SQL["find_session"], {"session_hash": session_hash})

    def load(self, user_id: UUID) -> list[Session]:
        with self.store.system() as connection:
            return load_all(connection, Session, _SQL["load_sessions"], {"user_id": user_id})

    def touch(self, session: Session, at: datetime) -> None:
        self._save("touch_session", {"session_hash": session.session_hash, "at": at})

    def delete(self, session: Session) -> None:
        self._save("delete_session", {"session_hash": session.session_hash})

    def delete_all(self, user_id: UUID) -> int:
        return self._save("delete_sessions_of", {"user_id": user_id})

    def delete_ended(self, at: datetime, idle: timedelta) -> int:
        return self._save("delete_ended_sessions", {"at": at, "idle_since": at - idle})

    def _save(self, query: str, facts: Mapping[str, object]) -> int:
        with self.store.system() as connection:
            return save(connection, _SQL[query], facts)


def _facts(session: Session) -> dict[str, object]:
    facts = {name: getattr(session, name) for name in Session.__dataclass_fields__}
    return {("tenant" if name == "owner_id" else name): value for name, value in facts.items()}


@dataclass(frozen=True, slots=True)
class RedisSessions:
    """Sessions as Redis keys that go when the session's absolute end has come, and a set of hashes per person."""

    url: str
    client: "Redis"

    def create(self, session: Session) -> None:
        person = _person_key(session.user_id)
        with translated_redis_errors(self.url), self.client.pipeline() as pipeline:
            pipeline.set(_key(session.session_hash), msgspec.msgpack.encode(session), exat=session.expires_at)
            pipeline.sadd(person, session.session_hash)
            pipeline.expireat(person, session.expires_at)
            pipeline.execute()

    def find(self, session_hash: bytes) -> Session | None:
        with translated_redis_errors(self.url):
            content = cast("bytes | None", self.client.get(_key(session_hash)))
        return _decode(content)

    def load(self, user_id: UUID) -> list[Session]:
        with translated_redis_errors(self.url):
            hashes = sorted(cast("set[bytes]", self.client.smembers(_person_key(user_id))))
            contents = cast("list[bytes | None]", self.client.mget([_key(item) for item in hashes])) if hashes else []
        found = [session for session in map(_decode, contents) if session]
        return sorted(found, key=lambda session: (-session.seen_at.timestamp(), session.session_hash))

    def touch(self, session: Session, at: datetime) -> None:
        seen = msgspec.msgpack.encode(replace(session, seen_at=at))
        with translated_redis_errors(self.url):
            # xx: a session that was revoked in between must not come back.
            self.client.set(_key(session.session_hash), seen, xx=True, keepttl=True)

    def delete(self, session: Session) -> None:
        with translated_redis_errors(self.url), self.client.pipeline() as pipeline:
            pipeline.delete(_key(session.session_hash))
            pipeline.srem(_person_key(session.user_id), session.session_hash)
            pipeline.execute()

    def delete_all(self, user_id: UUID) -> int:
        sessions = self.load(user_id)
        for session in sessions:
            self.delete(session)
        return len(sessions)

    def delete_ended(self, at: datetime, idle: timedelta) -> int:  # noqa: ARG002  # Redis drops what has ended itself
        return 0


def _decode(content: bytes | None) -> Session | None:
    return msgspec.msgpack.decode(content, type=Session) if content else None


def _key(session_hash: bytes) -> str:
    return f"castline:session:{session_hash.hex()}"


def _person_key(user_id: UUID) -> str:
    return f"castline:sessions:{user_id}"
