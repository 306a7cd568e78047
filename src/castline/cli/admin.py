"""castline admin: accounts, who may act for them, their keys and sessions, and the schema."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from castline.base.config import load_settings
from castline.base.text import count_noun
from castline.cli.output import json_option, say, show_json, show_table
from castline.cli.session import open_account

if TYPE_CHECKING:
    from castline.model.account import ApiKey, Session, User
    from castline.model.vocab import Role, Scope

_roles = click.Choice(["admin", "user", "viewer"])
_password_options = (
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read it here."),
    click.option("--generate", is_flag=True, help="Make a password and print it once."),
)


def _with_password(command: "click.decorators.FC") -> "click.decorators.FC":
    for option in reversed(_password_options):
        command = option(command)
    return command


@click.group()
def admin() -> None:
    """Accounts, keys and the schema."""


@admin.command()
@click.option("--email", required=True)
@click.option("--name", help="How the account is called; else the address's part before the @.")
@click.option("--role", type=_roles, help="admin for the first account, else user.")
@click.option(
    "--tier", type=click.Choice(["free", "starter", "professional", "enterprise"]), default="free", show_default=True
)
@_with_password
@json_option
def create(
    *,
    email: str,
    name: str | None,
    role: str | None,
    tier: str,
    password_stdin: bool,
    password_file: Path | None,
    generate: bool,
    as_json: bool,
) -> None:
    """Make an account; its owner signs in with the address and the password."""
    from castline.accounts.person import NewAccount, create_account
    from castline.model.vocab import Tier
    from castline.store.pool import open_store

    password = _read_password(stdin=password_stdin, file=password_file, generate=generate)
    new = NewAccount(email, name or email.partition("@")[0], password, cast("Role | None", role), cast(Tier, tier))
    with open_store(load_settings()) as store:
        user = create_account(store, new)
    facts = _user_facts(user) | ({"password": password} if generate else {})
    if as_json:
        show_json(facts)
        return
    show_table([facts], list(facts))


@admin.command("list")
@json_option
def list_accounts(as_json: bool) -> None:
    """Every account of this installation."""
    from castline.store.access.accounts import load_users
    from castline.store.pool import open_store

    with open_store(load_settings()) as store, store.system() as connection:
        facts = [_user_facts(user) for user in load_users(connection)]
    if as_json:
        show_json(facts)
        return
    show_table(facts, ["email", "name", "role", "tier", "is_active", "last_login", "user_id"])


@admin.command()
@click.option("--email", required=True)
@_with_password
@json_option
def password(email: str, password_stdin: bool, password_file: Path | None, generate: bool, as_json: bool) -> None:
    """Set another password; whoever was signed in must sign in again."""
    from castline.accounts.person import change_password
    from castline.store.access.sessions import open_sessions
    from castline.store.pool import open_store

    chosen = _read_password(stdin=password_stdin, file=password_file, generate=generate)
    with open_store(load_settings()) as store:
        user = change_password(store, open_sessions(store), email, chosen)
    facts = _user_facts(user) | ({"password": chosen} if generate else {})
    if as_json:
        show_json(facts)
        return
    say(f"{user.email} has another password.")
    if generate:
        click.echo(chosen)


@admin.command()
@click.option("--email", required=True)
@click.option("--again", is_flag=True, help="Let the account in again.")
@json_option
def deactivate(email: str, again: bool, as_json: bool) -> None:
    """Keep an account from signing in and using its keys; its history stays."""
    from castline.accounts.person import deactivate_account
    from castline.store.access.sessions import open_sessions
    from castline.store.pool import open_store

    with open_store(load_settings()) as store:
        user = deactivate_account(store, open_sessions(store), email, is_active=again)
    if as_json:
        show_json(_user_facts(user) | {"is_active": again})
        return
    say(f"{user.email} is {'active' if again else 'deactivated'}.")


@admin.command()
@json_option
def migrate(as_json: bool) -> None:
    """Bring the database to the schema that this castline needs."""
    from castline.store.migrate import apply_migrations, newest_version
    from castline.store.pool import connect_store

    with connect_store(load_settings()) as store:
        applied = apply_migrations(store.dsn)
    if as_json:
        show_json({"version": newest_version(), "applied": [f"{item.version:04}_{item.name}" for item in applied]})
        return
    missing = count_noun(len(applied), "migration was", "migrations were")
    say(f"The schema is at version {newest_version()}; {missing} missing.")


@admin.group()
def member() -> None:
    """Who else may act for the account."""


@member.command("add")
@click.option("--email", required=True)
@click.option("--role", type=_roles, default="viewer", show_default=True)
@json_option
def add_member(email: str, role: str, as_json: bool) -> None:
    """Let a person, who has an account of their own, act for this one."""
    from castline.accounts.person import add_member as add

    with open_account() as acting:
        membership = add(acting.store, acting.owner_id, email, cast("Role", role))
        owner = acting.user.email
    if as_json:
        show_json(membership)
        return
    say(f"{email} may act for {owner} as {role}.")


@member.command("remove")
@click.option("--email", required=True)
def remove_member(email: str) -> None:
    """A person no longer acts for this account."""
    from castline.accounts.person import remove_member as remove

    with open_account() as acting:
        remove(acting.store, acting.owner_id, email)
    say(f"{email} no longer acts for this account.")


@member.command("list")
@json_option
def list_members(as_json: bool) -> None:
    """Who may act for this account."""
    from castline.store.access.accounts import find_user, load_members

    with open_account() as acting, acting.store.system() as connection:
        members = load_members(connection, acting.owner_id)
        people = {item.member_id: find_user(connection, item.member_id) for item in members}
    facts = [
        {"email": person.email, "name": person.name, "role": item.role, "since": item.created_at}
        for item in members
        if (person := people[item.member_id])
    ]
    if as_json:
        show_json(facts)
        return
    show_table(facts, ["email", "name", "role", "since"])


@admin.group()
def key() -> None:
    """API keys of the account."""


@key.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(["conversions:write", "read"]), required=True)
@click.option("--expires-days", type=int, default=365, show_default=True, help="0: valid until it is revoked.")
@json_option
def create_key(name: str, scopes: tuple[str, ...], expires_days: int, as_json: bool) -> None:
    """Make a key; it is shown this once."""
    from castline.accounts.token import issue_key

    chosen = cast("tuple[Scope, ...]", tuple(dict.fromkeys(scopes)))
    with open_account() as acting:
        new = issue_key(acting.store, acting.owner_id, name, chosen, expires_days or None)
    if as_json:
        show_json(_key_facts(new.key) | {"key": new.secret})
        return
    say(f"The key {new.key.name!r}; it is shown this once:")
    click.echo(new.secret)


@key.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """The account's keys, without their secrets."""
    from castline.store.access.keys import load_keys

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        facts = [_key_facts(item) for item in load_keys(connection, acting.owner_id)]
    if as_json:
        show_json(facts)
        return
    rows = [item | {"scopes": ", ".join(cast("list[str]", item["scopes"]))} for item in facts]
    show_table(rows, ["prefix", "name", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"])


@key.command("revoke")
@click.argument("ref", metavar="ID|PREFIX")
def revoke_key(ref: str) -> None:
    """A key opens nothing any more."""
    from castline.accounts.token import withdraw_key

    with open_account() as acting:
        revoked = withdraw_key(acting.store, acting.owner_id, ref)
    say(f"The key {revoked.name!r} ({revoked.prefix}) is revoked.")


@admin.command()
@click.option("--revoke", is_flag=True, help="Sign every browser of the account's owner out.")
@json_option
def sessions(revoke: bool, as_json: bool) -> None:
    """Which browsers are signed in as the account's owner."""
    from castline.store.access.sessions import open_sessions

    with open_account() as acting:
        kept = open_sessions(acting.store)
        found = kept.load(acting.user.user_id)
        if revoke:
            kept.delete_all(acting.user.user_id)
    facts = [_session_facts(item) for item in found]
    if as_json:
        show_json({"sessions": facts, "revoked": revoke})
        return
    show_table(facts, ["created_at", "seen_at", "expires_at", "user_agent"])
    if revoke:
        say("All of them are signed out.")


def _read_password(*, stdin: bool, file: Path | None, generate: bool) -> str:
    """The password from where the options say, else asked for twice without showing it."""
    if stdin + (file is not None) + generate > 1:
        raise click.UsageError("Give one of --password-stdin, --password-file and --generate.")
    if generate:
        from castline.accounts.person import generate_password

        return generate_password()
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if file is not None:
        return file.read_text("utf-8").split("\n")[0].rstrip("\r")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for a password on: give --password-stdin or --generate.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _user_facts(user: "User") -> dict[str, object]:
    return {
        "user_id": user.user_id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "tier": user.subscription_tier,
        "is_active": user.is_active,
        "last_login": user.last_login,
    }


def _key_facts(item: "ApiKey") -> dict[str, object]:
    names = ("api_key_id", "prefix", "name", "created_at", "expires_at", "last_used_at", "revoked_at")
    return {name: getattr(item, name) for name in names} | {"scopes": list(item.scopes)}


def _session_facts(item: "Session") -> dict[str, object]:
    return {name: getattr(item, name) for name in ("created_at", "seen_at", "expires_at", "user_agent")}
