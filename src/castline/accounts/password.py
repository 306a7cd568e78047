"""Passwords: argon2id at the cost OWASP recommends, few at once, and none that an attacker tries first."""

import re
from functools import cache
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from castline.base.errors import InvalidInput
from castline.model.account import UNUSABLE_PASSWORD

# OWASP Password Storage Cheat Sheet, argon2id: m=47104 (46 MiB), t=1, p=1; 78 ms on the reference machine.
_hasher: Final = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)
_HASHES_AT_ONCE: Final = 4  # 46 MiB each: a flood of sign-ins queues instead of taking the memory
_gate: Final = BoundedSemaphore(_HASHES_AT_ONCE)

SHORTEST: Final = 12
LONGEST: Final = 512  # longer ones would only make hashing a way to waste our time
_WEIGHED: Final = 72  # what zxcvbn weighs; the rest can only make a password stronger
_STRONG_ENOUGH: Final = 3  # zxcvbn: more than 10^8 guesses
_OWN_CHARACTERS: Final = 8  # what must be left without the words that anybody knows of the person
_PIECES: Final = re.compile(r"\w{3,}")
_GUESSABLE: Final = "It is too easy to guess."
_ADVICE: Final = "Three or four unrelated words make a good one."


def hash_password(password: str) -> str:
    """The argon2id hash to keep."""
    with _gate:
        return _hasher.hash(password)


def verify_password(password: str, password_hash: str) -> bool:
    """Whether the password is the one; takes as long for an account that is not there or has none."""
    known = password_hash != UNUSABLE_PASSWORD
    with _gate:
        try:
            return _hasher.verify(password_hash if known else _dummy_hash(), password) and known
        except (VerificationError, InvalidHashError):
            return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made at another cost than today's."""
    return _hasher.check_needs_rehash(password_hash)


def check_password(password: str, *, about: tuple[str, ...] = ()) -> None:
    """The password may be chosen. Raises InvalidInput if it is short, known from breaches, or made of `about`.

    `about` is what an attacker knows of the person: address and name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(
            field="password", detail=f"has {len(password)} characters, {SHORTEST} to {LONGEST} are needed"
        )
    words = {piece.lower() for text in ("castline", *about) for piece in _PIECES.findall(text)}
    if len(_without(password.lower(), words)) < _OWN_CHARACTERS:
        raise InvalidInput(field="password", detail=f"is little more than your name or address. {_ADVICE}")
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # noqa: PLC0415  # 30,000 common passwords load in 60 ms

    found = zxcvbn(password[:_WEIGHED], user_inputs=sorted(words))
    if found["score"] < _STRONG_ENOUGH:
        raise InvalidInput(field="password", detail=f"{found['feedback']['warning'] or _GUESSABLE} {_ADVICE}")


def _without(password: str, words: set[str]) -> str:
    # Longest first, so that a name inside another does not leave a stump of it.
    for word in sorted(words, key=len, reverse=True):
        password = password.replace(word, "")
    return password.strip()


@cache
def _dummy_hash() -> str:
    return _hasher.hash("nobody has this password")
