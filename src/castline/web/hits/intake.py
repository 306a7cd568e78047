"""The intake's paths in the web process, for small installations: the same answers, a framework's speed.

Semantics are castline.intake.answer's. A record is synced before it is answered; the drain of `castline intake`, or the
one that `castline serve` runs, lands it.
"""

import time
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from castline.ingest.segment_log import LogWriter, encode_parted_record
from castline.intake.answer import Answer, Asked, compute_answer, compute_failed
from castline.intake.request import PATH_BYTES
from castline.web.context import client_address, context_of

router: Final = APIRouter(tags=["intake"], include_in_schema=False)
_METHODS: Final = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"]


@router.api_route("/e/{rest:path}", methods=_METHODS)
@router.api_route("/e,{rest:path}", methods=_METHODS)
@router.api_route("/v1/events", methods=_METHODS)
async def take(request: Request) -> Response:
    """What castline.intake.answer says; the record is on the disk before."""
    path = bytes(request.scope.get("raw_path") or request.url.path.encode())
    if query := request.scope["query_string"]:
        path += b"?" + bytes(query)
    if len(path) > PATH_BYTES:
        return Response("The address is too long.\n", 414)
    headers = {bytes(name): bytes(value) for name, value in request.headers.raw}
    answer = compute_answer(Asked(request.method, path, headers, await request.body()))
    if answer.record is not None:
        address = (client_address(request) or "").encode("ascii", "replace")[:64]
        kind, *texts = answer.record
        pieces = encode_parted_record(kind, time.time_ns() // 1000, address, *texts)
        answer = await run_in_threadpool(_keep, context_of(request).intake, pieces, answer)
    response = Response(answer.body, answer.status)
    for name, value in answer.headers:
        response.headers[name.decode("ascii").lower()] = value.decode("latin-1")
    return response


def _keep(log: LogWriter, pieces: list[bytes], answer: Answer) -> Answer:
    try:
        log.wait_synced(log.append(pieces))
    except OSError:
        return compute_failed(answer)
    return answer
