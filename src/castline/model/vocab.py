"""The closed vocabularies: each is declared here and nowhere else; a test compares them with the database's checks."""

from typing import Literal

Role = Literal["admin", "user", "viewer"]
Tier = Literal["free", "starter", "professional", "enterprise"]
Persona = Literal["solo_podcaster", "producer", "agency", "enterprise"]
IngestionStatus = Literal["active", "paused", "error"]
TranscriptStatus = Literal["pending", "processing", "completed", "failed"]
TranscriptSource = Literal["automated", "manual", "uploaded"]
CampaignStatus = Literal["draft", "scheduled", "active", "paused", "completed", "cancelled"]
PlacementKind = Literal["baked", "dynamic", "host-read"]
PlacementPosition = Literal["pre", "mid", "post"]
MediaKind = Literal["enclosure", "file", "stream"]
DetectionMethod = Literal["manual", "automated", "transcript"]
EventType = Literal[
    "download", "stream", "listen_start", "listen_complete", "skip", "ad_start", "ad_complete", "ad_skip"
]
Verdict = Literal["counted", "duplicate", "partial", "dropped"]
RestatementCause = Literal["settings", "rules", "late_data", "withdrawn", "feeds"]
AttributionMethod = Literal["promo_code", "pixel", "utm", "direct", "custom"]
PrimaryMethod = Literal["promo_code", "pixel", "utm", "custom"]
AttributionTier = Literal["confirmed", "modeled"]
ConversionType = Literal["purchase", "signup", "download", "trial", "visit"]
RefundReason = Literal["refund", "chargeback", "reversal"]
ReportType = Literal["sponsor_report", "performance_summary", "roi_report", "custom"]
ReportFormat = Literal["pdf", "csv", "excel", "json"]
RunStatus = Literal["running", "succeeded", "failed"]
Scope = Literal["conversions:write", "read"]

STATUS_TRANSITIONS: dict[CampaignStatus, frozenset[CampaignStatus]] = {
    "draft": frozenset({"scheduled", "cancelled"}),
    "scheduled": frozenset({"active", "draft", "cancelled"}),
    "active": frozenset({"paused", "completed", "cancelled"}),
    "paused": frozenset({"active", "completed", "cancelled"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
}
"""A campaign runs draft -> scheduled -> active -> paused/completed/cancelled; the last two are final."""
