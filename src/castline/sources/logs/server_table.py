"""CSV and TSV under a header with the usual names: what hosts export, and what people cut out of other logs."""

from typing import Final

import polars as pl

from castline.sources.logs.delimited import said, tell
from castline.sources.logs.format import LogFormat
from castline.sources.logs.headed import Columns, HeadedReader, try_split_header
from castline.sources.logs.json_logs import SERVER, SERVER_FIELDS


def _tell(frame: pl.DataFrame) -> pl.DataFrame:
    """The texts; who writes no method into the log of a file server means GET."""
    texts = {text: said(frame, *names) for text, names in SERVER_FIELDS.items()}
    if frame.columns and not {*SERVER_FIELDS["method"], *SERVER_FIELDS["request"]}.intersection(frame.columns):
        texts["method"] = pl.lit("GET")
    return tell(frame, texts)


_ASKED: Final = (*SERVER_FIELDS["url"], *SERVER_FIELDS["request"])
# Without a status a table may be of anything.
_COLUMNS: Final = Columns((SERVER_FIELDS["stamp"], SERVER_FIELDS["address"], _ASKED, SERVER_FIELDS["status"]), _tell)
TABLE: Final = LogFormat(
    name="csv",
    title="CSV or TSV under a header with the usual names",
    fits=lambda line: not line.lstrip().startswith("{") and try_split_header(line, _COLUMNS) is not None,
    open=lambda: HeadedReader(_COLUMNS),
    example=(
        "timestamp,ip,host,method,url,status,bytes_sent,range,referer,user_agent,request_id\n"
        "2026-09-07T00:00:00Z,203.0.113.9,cdn.example.org,GET,/one.mp3,206,960000,bytes=0-959999,,"
        '"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",f0e1d2c3b4a59687'
    ),
    reference="https://datatracker.ietf.org/doc/html/rfc4180",
    family=SERVER.id_space,
    tells_range=True,
    tells_request_id=True,
    lateness="as its maker says",
)
