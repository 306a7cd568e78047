"""Accounts: users, the people who work in an account, sessions and keys."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from castline.model.check import check_choice, check_text
from castline.model.vocab import Persona, Role, Scope, Tier

UNUSABLE_PASSWORD = "!"  # noqa: S105  # the mark of an account that signs in by OAuth only (ruling 5a)


@dataclass(frozen=True, slots=True)
class User:
    """One row of `users`; its id is the tenant of everything the account owns."""

    user_id: UUID
    email: str
    password_hash: str = field(repr=False)
    name: str
    role: Role
    subscription_tier: Tier
    persona_segment: Persona | None
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None
    is_active: bool
    metadata: dict[str, Any]

    def __post_init__(self) -> None:
        check_text(self.email, 255, field="email")
        check_text(self.name, 255, field="name")
        check_choice(self.role, Role, field="role")
        check_choice(self.subscription_tier, Tier, field="subscription_tier")


@dataclass(frozen=True, slots=True)
class Membership:
    """`member_id` may work in the account of `owner_id` with `role`."""

    owner_id: UUID
    member_id: UUID
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser: who it is and which account it acts for; its id is known only as a hash."""

    session_hash: bytes = field(repr=False)
    user_id: UUID
    owner_id: UUID
    csrf_token: str = field(repr=False)
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody acting for an account: for their own, or with a member's role for another's."""

    user: User
    owner: User
    role: Role

    @property
    def owner_id(self) -> UUID:
        return self.owner.user_id

    @property
    def may_write(self) -> bool:
        return self.role in {"admin", "user"}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it can be listed; the secret part is shown once and kept only as a hash."""

    api_key_id: UUID
    user_id: UUID
    prefix: str
    key_hash: bytes = field(repr=False)
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scopes", tuple(self.scopes))
        check_text(self.name, 255, field="name")
        for scope in self.scopes:
            check_choice(scope, Scope, field="scopes")
