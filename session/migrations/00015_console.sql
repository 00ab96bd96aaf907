-- What the operators' pages are read from. Figures are counted by the hour and the
-- day in which a session began, and counted again when one of them changes, so that
-- a page costs the same at a thousand sessions and at a million. Scores are what
-- thresholds are tuned on; they hold no personal data.
-- +goose Up
CREATE TABLE figures (
    span          BIGINT NOT NULL,
    begins        BIGINT NOT NULL,
    tenant        TEXT NOT NULL,
    jurisdiction  TEXT NOT NULL,
    document_type TEXT NOT NULL,
    device        TEXT NOT NULL,
    counts        TEXT NOT NULL,
    PRIMARY KEY (span, begins, tenant, jurisdiction, document_type, device)
);
CREATE TABLE case_scores (
    measure   TEXT NOT NULL,
    session   TEXT NOT NULL,
    attempt   BIGINT NOT NULL,
    score     DOUBLE PRECISION NOT NULL,
    automatic TEXT NOT NULL,
    known     SMALLINT NOT NULL,
    genuine   SMALLINT NOT NULL,
    PRIMARY KEY (measure, session)
);
-- Which hours have changed since they were counted.
CREATE INDEX sessions_updated ON sessions (updated_at);
CREATE INDEX webhook_deliveries_updated ON webhook_deliveries (updated_at);
CREATE INDEX webhook_deliveries_open ON webhook_deliveries (id) WHERE delivered_at = 0;
CREATE INDEX erasures_begun ON erasures (begun_at);
-- People here look a reference up whoever's it is.
DROP INDEX sessions_ref;
CREATE INDEX sessions_ref ON sessions (external_ref, tenant, id) WHERE external_ref <> '';

-- Every change of the policy for new sessions: proposed, active, past, or
-- withdrawn. base is what was active when it was proposed.
CREATE TABLE policy_changes (
    id          TEXT NOT NULL PRIMARY KEY,
    hash        TEXT NOT NULL,
    base        TEXT NOT NULL,
    note        TEXT NOT NULL,
    state       TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    decided_by  TEXT NOT NULL,
    decided_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX policy_changes_active ON policy_changes (state) WHERE state = 'active';

-- +goose Down
DROP TABLE policy_changes;
DROP INDEX sessions_ref;
CREATE INDEX sessions_ref ON sessions (tenant, external_ref, id) WHERE external_ref <> '';
DROP INDEX erasures_begun;
DROP INDEX webhook_deliveries_open;
DROP INDEX webhook_deliveries_updated;
DROP INDEX sessions_updated;
DROP TABLE case_scores;
DROP TABLE figures;
