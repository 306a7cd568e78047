# ruff: noqa: E501  # a table
"""Which addresses are fetched: the table of everything that must be refused, and what must not."""

import ipaddress

import pytest

from castline.sources.address import AddressRefused, check_address, check_url, show_url

REFUSED = [
    "ftp://example.com/feed", "file:///etc/passwd", "gopher://example.com/", "data:text/xml,<rss/>", "javascript:alert(1)",
    "//example.com/feed", "example.com/feed", "http://", "http:///feed", "https://:443/", "",
    "http://example.com:22/", "http://example.com:8080/", "https://example.com:6379/", "http://example.com:99999/",
    "http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://printer.local/", "http://metadata.google.internal/",
    "http://127.0.0.1/", "http://127.1.2.3/", "http://0.0.0.0/", "http://10.0.0.1/", "http://172.16.0.1/",
    "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://192.0.2.1/",
    "http://198.18.0.1/", "http://224.0.0.1/", "http://239.255.255.250/", "http://240.0.0.1/", "http://255.255.255.255/",
    "http://[::1]/", "http://[::]/", "http://[fe80::1]/", "http://[fc00::1]/", "http://[fd00:ec2::254]/", "http://[ff02::1]/",
    "http://[2001:db8::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:10.0.0.1]/", "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::7f00:1]/", "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/", "http://[2001:0:7f00:1:0:0:80ff:fffe]/", "http://[2606:4700::5efe:7f00:1]/",
    "http://example.com\\@127.0.0.1/", "http://exa mple.com/", "http://example.com/\r\nHost: x", "http://127.0.0.1\t/",
    "http://１２７.0.0.1/", "http://user:secret@127.0.0.1/", "http://example.com/" + "a" * 5000, "http://[::1", "http://[::1%25lo]/",
]  # fmt: skip

ALLOWED = [
    "https://example.com/feed.xml", "http://example.com:80/", "https://example.com:443/", "https://user:secret@example.com/",
    "https://münchen.example/", "http://1.1.1.1/", "http://[2606:4700:4700::1111]/", "http://[64:ff9b::101:101]/",
    "https://example.com./feed?x=1&y=ü", "HTTPS://EXAMPLE.COM/",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
def test_a_forbidden_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_url(url)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("url", ALLOWED)
def test_a_public_address_is_fetched(url: str) -> None:
    assert check_url(url).raw_host


@pytest.mark.parametrize("url", ["http://127.0.0.1:8321/", "http://localhost:8000/feed", "http://[::1]:80/"])
def test_private_addresses_and_ports_are_a_setting(url: str) -> None:
    assert check_url(url, allow_private=True).raw_host


def test_the_setting_does_not_allow_another_scheme() -> None:
    with pytest.raises(AddressRefused):
        check_url("file:///etc/passwd", allow_private=True)


def test_a_wrapped_address_is_named() -> None:
    with pytest.raises(AddressRefused, match=r"it leads to 127\.0\.0\.1 \(inside 64:ff9b::7f00:1\)"):
        check_address(ipaddress.ip_address("64:ff9b::7f00:1"), source="x")


def test_messages_never_hold_user_or_password() -> None:
    assert show_url("https://user:pa@ss@example.com/a?b=c@d") == "https://example.com/a?b=c@d"
