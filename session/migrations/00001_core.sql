-- One schema for SQLite and PostgreSQL. Times are microseconds since 1970 UTC
-- in BIGINT (0 = not yet), JSON is TEXT, flags are SMALLINT: all of these mean
-- the same in both. SQLite stores BYTEA as BLOB, whatever the name.

-- +goose Up
CREATE TABLE sessions (
    id              TEXT NOT NULL PRIMARY KEY,
    tenant          TEXT NOT NULL,
    state           TEXT NOT NULL,
    version         BIGINT NOT NULL,
    attempt         BIGINT NOT NULL,
    max_attempts    BIGINT NOT NULL,
    policy_name     TEXT NOT NULL,
    policy_version  TEXT NOT NULL,
    policy_hash     TEXT NOT NULL,
    segment         TEXT NOT NULL,
    jurisdiction    TEXT NOT NULL,
    document_type   TEXT NOT NULL,
    correlation_id  TEXT NOT NULL,
    external_ref    TEXT NOT NULL,
    locale          TEXT NOT NULL,
    consent         TEXT NOT NULL,
    decision        TEXT NOT NULL,
    idempotency_key TEXT,
    ttl             BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    submitted_at    BIGINT NOT NULL
);
-- Ids sort by creation time: a filter's columns, then the id, serve each page.
CREATE INDEX sessions_tenant ON sessions (tenant, id);
CREATE INDEX sessions_tenant_state ON sessions (tenant, state, id);
CREATE INDEX sessions_state ON sessions (state, id);
CREATE INDEX sessions_ref ON sessions (tenant, external_ref, id) WHERE external_ref <> '';
CREATE INDEX sessions_policy ON sessions (tenant, policy_name, id);
CREATE INDEX sessions_expiry ON sessions (expires_at)
    WHERE state IN ('initiated', 'capture_in_progress', 'needs_resubmission');
CREATE UNIQUE INDEX sessions_idempotency ON sessions (tenant, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE evidence (
    id         TEXT NOT NULL PRIMARY KEY,
    session    TEXT NOT NULL,
    attempt    BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    object     TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    salt       TEXT NOT NULL,
    size       BIGINT NOT NULL,
    findings   TEXT NOT NULL,
    at         BIGINT NOT NULL
);
CREATE INDEX evidence_session ON evidence (session, id);

CREATE TABLE stage_results (
    session    TEXT NOT NULL,
    attempt    BIGINT NOT NULL,
    stage      TEXT NOT NULL,
    input_hash TEXT NOT NULL,
    body       TEXT NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (session, attempt, stage, input_hash)
);

CREATE TABLE decisions (
    session TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    decider TEXT NOT NULL,
    state   TEXT NOT NULL,
    body    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (session, attempt, decider)
);

CREATE TABLE outbox (
    id             TEXT NOT NULL PRIMARY KEY,
    kind           TEXT NOT NULL,
    session        TEXT NOT NULL,
    attempt        BIGINT NOT NULL,
    ref            TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    state          TEXT NOT NULL,
    tries          BIGINT NOT NULL,
    reason         TEXT NOT NULL,
    available_at   BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX outbox_once ON outbox (kind, session, attempt, ref);
CREATE INDEX outbox_pending ON outbox (available_at, id) WHERE state = 'pending';
CREATE INDEX outbox_dispatched ON outbox (updated_at, id) WHERE state = 'dispatched';
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';
CREATE INDEX outbox_session ON outbox (session, id);

CREATE TABLE run_leases (
    session    TEXT NOT NULL,
    attempt    BIGINT NOT NULL,
    owner      TEXT NOT NULL,
    fence      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (session, attempt)
);

-- +goose Down
DROP TABLE run_leases;
DROP TABLE outbox;
DROP TABLE decisions;
DROP TABLE stage_results;
DROP TABLE evidence;
DROP TABLE sessions;
