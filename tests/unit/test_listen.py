"""What is said where castline cannot listen."""

import socket

import pytest

from castline.web.listen import AddressTaken, bind

_FIX = "Choose another port with --port, 0 for any free one; --host takes an address of this machine."


def test_a_port_that_is_taken_is_told_in_plain_words_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressTaken) as caught:
            bind("127.0.0.1", port)
    assert caught.value.message == f"castline cannot listen on 127.0.0.1:{port}: Address already in use"
    assert caught.value.advice == _FIX


def test_a_name_that_nobody_knows_is_told_in_the_resolvers_words() -> None:
    with pytest.raises(AddressTaken, match=r"^castline cannot listen on agents\.invalid:80: [^()]+$"):
        bind("agents.invalid", 80)
