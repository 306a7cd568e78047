"""Passwords are hashed at the stated cost, and those that an attacker tries first are refused."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from castline.accounts import password as module
from castline.accounts.password import check_password, hash_password, needs_rehash, verify_password
from castline.base.errors import InvalidInput
from castline.model.account import UNUSABLE_PASSWORD


def test_a_hash_is_argon2id_at_the_stated_cost_and_salted() -> None:
    first, second = hash_password("violet tram orchard"), hash_password("violet tram orchard")
    assert first.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert first != second
    assert verify_password("violet tram orchard", first)
    assert not verify_password("violet tram orchards", first)
    assert not needs_rehash(first)


def test_nobody_signs_in_to_an_account_without_a_password() -> None:
    assert not verify_password("nobody has this password", UNUSABLE_PASSWORD)
    assert not verify_password(UNUSABLE_PASSWORD, UNUSABLE_PASSWORD)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "password1234",
        "qwertyuiop12",
        "aaaaaaaaaaaaaaaa",
        "123456789012",
        "ada@example.org",
        "adalovelace1",
        "castline castline",
        "x" * 513,
    ],
)
def test_a_password_that_is_short_common_or_about_the_person_is_refused(password: str) -> None:
    with pytest.raises(InvalidInput, match=r"^password: "):
        check_password(password, about=("ada@example.org", "Ada Lovelace"))


@pytest.mark.parametrize(
    "password",
    ["violet tram orchard", "YJ1dIhmhF7Jz4jBz", "دراجة بنفسجية سريعة", "紫の自転車が速く走った朝でした", "x9!" * 100],
)
def test_a_password_that_takes_many_guesses_may_be_chosen(password: str) -> None:
    if password.startswith("x9!"):
        password = "violet tram orchard kettle" + password
    check_password(password)


def test_no_more_than_four_hashes_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()
    plain = module._hasher.hash

    class Counting:
        def hash(self, password: str) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                return plain(password)
            finally:
                with lock:
                    running -= 1

    monkeypatch.setattr(module, "_hasher", Counting())
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(hash_password, ["violet tram orchard"] * 12))
    assert most == 4
