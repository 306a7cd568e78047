"""Microsoft Azure: resource logs of Front Door and CDN, and of blobs in storage accounts.

Microsoft, "Monitor Azure Front Door", access log; "Azure Blob Storage monitoring data reference", StorageRead.
"""

from typing import Final

import polars as pl

from castline.sources.logs.format import LogFormat
from castline.sources.logs.ndjson import JsonReader, json_keys

_FIELDS: Final = {
    "stamp": ("time", "properties/requestTime"),
    # clientIp is what X-Forwarded-For says where there is one; anybody may write that.
    "address": ("properties/socketIp", "properties/socketIP", "properties/clientIp", "properties/clientIP",
                "callerIpAddress"),
    "forwarded": ("properties/clientIp", "properties/clientIP"),
    "country": ("properties/clientCountry",),
    "method": ("properties/httpMethod",),
    "operation": ("operationName",),
    "url": ("properties/requestUri", "uri"),
    "status": ("properties/httpStatusCode", "statusCode"),
    "bytes_sent": ("properties/responseBytes", "properties/responseBodySize"),
    "referer": ("properties/referer", "properties/referrer", "properties/referrerHeader"),
    "user_agent": ("properties/userAgent", "properties/userAgentHeader"),
    "request_id": ("properties/trackingReference", "correlationId"),
}  # fmt: skip
_PORT: Final = r":[0-9]+$"
_OPERATIONS: Final = {"GetBlob": "GET", "GetBlobProperties": "HEAD"}


class AzureReader(JsonReader):
    """Reads records, one a line."""

    def __init__(self) -> None:
        super().__init__(_FIELDS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects, with the method that an operation on a blob was asked for by."""
        found = super().read(numbered)
        address = pl.col("address").str.replace(_PORT, "").str.strip_chars("[]")
        has_port = pl.col("address").str.contains(r"^(?:[0-9.]+|\[.*\]):[0-9]+$")
        meant = pl.col("operation").replace_strict(_OPERATIONS, default=pl.col("operation").str.to_uppercase())
        return found.with_columns(
            address=pl.when(has_port).then(address).otherwise("address"),
            method=pl.col("method").fill_null(meant),
        ).drop("operation")


def _fits(line: str) -> bool:
    keys = json_keys(line)
    return {"operationName", "properties", "time"} <= keys and (
        '"requestUri"' in line or {"uri", "callerIpAddress"} <= keys
    )


AZURE: Final = LogFormat(
    name="azure",
    title="Azure Front Door, CDN and blob storage: resource logs",
    fits=_fits,
    open=AzureReader,
    example=(
        '{"time":"2026-09-07T00:00:00.0421234Z","resourceId":"/SUBSCRIPTIONS/S/PROFILES/P","category":'
        '"FrontDoorAccessLog","operationName":"Microsoft.Cdn/Profiles/AccessLog/Write","properties":'
        '{"trackingReference":"0xmZ4aQ","httpMethod":"GET","httpVersion":"2.0.0.0","requestUri":'
        '"https://cdn.example.org:443/one.mp3","hostName":"cdn.example.org","requestBytes":"220","responseBytes":'
        '"960512","userAgent":"Overcast/3.0","clientIp":"203.0.113.9","clientPort":"40512","socketIp":"203.0.113.9",'
        '"httpStatusCode":"206","pop":"FRA","cacheStatus":"HIT"}}'
    ),
    reference="https://learn.microsoft.com/en-us/azure/frontdoor/monitor-front-door",
    tells_bytes="body and headers",
    tells_request_id=True,
    lateness="minutes to an hour",
)
