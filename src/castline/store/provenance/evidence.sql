-- name: delete_evidence
-- nothing is left of the UTC days
delete from behaviour_evidence
where user_id = :tenant and day_on = any(:days)

-- name: save_evidence
-- one row per UTC day, rule and subject
insert into behaviour_evidence (
    user_id, day_on, reason, network, asn, user_agent, address_count, request_count, download_count, measured, limits,
    run_id
)
values (
    :tenant, :day_on, :reason, :network, :asn, :user_agent, :address_count, :request_count, :download_count, :measured,
    :limits, :run_id
)

-- name: load_evidence
-- one row per UTC day, rule and subject, the newest day first and then the most downloads
select day_on, reason, network, asn, user_agent, address_count, request_count, download_count, measured, limits
from behaviour_evidence
where user_id = :tenant
    and (:first_on::date is null or day_on >= :first_on)
    and (:last_on::date is null or day_on <= :last_on)
order by day_on desc, download_count desc, request_count desc, evidence_id
