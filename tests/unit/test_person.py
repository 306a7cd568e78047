"""Passwords that are made for people."""

from castline.accounts.password import check_password
from castline.accounts.person import generate_password


def test_a_made_password_can_be_pasted_anywhere() -> None:
    made = {generate_password() for _ in range(2000)}
    assert len(made) == 2000
    assert all(len(password) == 21 and password.isascii() and password.isalnum() for password in made)
    assert not any(set(password) & set("0O1lI") for password in made)


def test_a_made_password_is_accepted() -> None:
    for _ in range(200):
        check_password(generate_password(), about=("ada@example.org", "Ada"))
