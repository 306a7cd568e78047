"""Who gives way at the intake where there is no room: only clients that ask for nothing and are owed nothing."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from castline.intake.server import Durability, IntakeOptions, IntakeServer, Limits
from intake_process import REDIRECT

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_REST_SECONDS = 1.4  # longer than a connection must have been idle to give way


@asynccontextmanager
async def serve(data_dir: Path, room: int, durability: Durability = "relaxed") -> AsyncIterator[int]:
    """The port of a server with room for so many connections."""
    server = IntakeServer(data_dir, IntakeOptions(durability, limits=Limits(connections=room, sweep_seconds=0.05)))
    sock = socket.create_server(("127.0.0.1", 0))
    sock.settimeout(0)
    await server.start(sock)
    try:
        yield sock.getsockname()[1]
    finally:
        await server.drain()


async def connect(port: int, sent: bytes = b"") -> _Streams:
    streams = await asyncio.open_connection("127.0.0.1", port)
    streams[1].write(sent)
    return streams


async def read_some(streams: _Streams) -> bytes:
    """What comes first, empty where the connection ends or is reset."""
    try:
        return await asyncio.wait_for(streams[0].read(65536), 5)
    except ConnectionResetError:
        return b""


def leave(*clients: _Streams) -> None:
    for _, writer in clients:
        writer.close()


def test_whose_record_waits_for_the_disk_is_answered_and_makes_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fdatasync

    def sync_slowly(descriptor: int) -> None:
        time.sleep(2 * _REST_SECONDS)
        sync(descriptor)

    async def ask() -> tuple[bytes, bytes]:
        async with serve(tmp_path, 1, "strict") as port:
            promised = await connect(port, REDIRECT)
            await asyncio.sleep(_REST_SECONDS)
            late = await connect(port, REDIRECT)
            answers = await read_some(late), await read_some(promised)
            leave(late, promised)
            return answers

    monkeypatch.setattr(os, "fdatasync", sync_slowly)
    refused, answered = asyncio.run(ask())
    assert (refused, answered[:13]) == (b"", b"HTTP/1.1 302 ")


def test_the_longest_idle_gives_way_behind_any_number_of_clients_at_work(tmp_path: Path) -> None:
    async def ask() -> tuple[bytes, bytes, bytes]:
        async with serve(tmp_path, 102) as port:
            at_work = [await connect(port, REDIRECT[:20]) for _ in range(100)]
            used = await connect(port)
            idle = await connect(port)
            await asyncio.sleep(0.2)
            used[1].write(REDIRECT)
            await read_some(used)
            await asyncio.sleep(_REST_SECONDS)
            new = await connect(port, REDIRECT)
            answers = [await read_some(new), await read_some(idle)]
            used[1].write(REDIRECT)
            answers.append(await read_some(used))
            leave(*at_work, used, new, idle)
            return answers[0], answers[1], answers[2]

    served, ended, kept = asyncio.run(ask())
    assert (served[:13], ended, kept[:13]) == (b"HTTP/1.1 302 ", b"", b"HTTP/1.1 302 ")
