-- What operators steer by: simulated cases, the device class, the order of the
-- review queue, decisions of shadow policies, stopped canaries, and the results
-- of screening lists.
-- +goose Up
ALTER TABLE sessions ADD COLUMN simulated SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_simulated ON sessions (id) WHERE simulated = 1;

-- One row per case in review. calm and busy are the places in the order of work,
-- in microseconds since 1970: the smaller is looked at first, by the one when the
-- queue is as it should be, by the other when it holds more than "above" cases.
CREATE TABLE review_queue (
    session      TEXT NOT NULL PRIMARY KEY,
    attempt      BIGINT NOT NULL,
    queue        TEXT NOT NULL,
    entered_at   BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    calm         BIGINT NOT NULL,
    busy         BIGINT NOT NULL,
    value        DOUBLE PRECISION NOT NULL,
    risk         DOUBLE PRECISION NOT NULL,
    above        BIGINT NOT NULL,
    overloaded   SMALLINT NOT NULL,
    second       SMALLINT NOT NULL,
    escalated_at BIGINT NOT NULL
);
CREATE INDEX review_queue_calm ON review_queue (calm, session);
CREATE INDEX review_queue_queue ON review_queue (queue);
INSERT INTO review_queue (session, attempt, queue, entered_at, due_at, calm, busy, value, risk, above, overloaded, second, escalated_at)
    SELECT id, attempt, 'default', updated_at, updated_at + 86400000000, updated_at + 86400000000, updated_at + 86400000000, 0, 0, 0, 0, 0, 0
    FROM sessions WHERE state = 'pending_review';
-- Attempts whose second look was blind, for the agreement of reviewers.
ALTER TABLE review_votes ADD COLUMN blind SMALLINT NOT NULL DEFAULT 0;

-- Keys of samples that nobody may foresee.
CREATE TABLE sampling_keys (
    name   TEXT NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL
);

CREATE TABLE shadow_decisions (
    session      TEXT NOT NULL,
    attempt      BIGINT NOT NULL,
    policy_hash  TEXT NOT NULL,
    live_hash    TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    live_outcome TEXT NOT NULL,
    body         TEXT NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (session, attempt, policy_hash)
);
CREATE INDEX shadow_decisions_policy ON shadow_decisions (policy_hash, session);

CREATE TABLE canary_stops (
    policy_hash TEXT NOT NULL PRIMARY KEY,
    reason      TEXT NOT NULL,
    at          BIGINT NOT NULL
);

CREATE TABLE screenings (
    id         TEXT NOT NULL PRIMARY KEY,
    session    TEXT NOT NULL,
    list       TEXT NOT NULL,
    result     TEXT NOT NULL,
    provider   TEXT NOT NULL,
    reference  TEXT NOT NULL,
    lists      TEXT NOT NULL,
    actor      TEXT NOT NULL,
    checked_at BIGINT NOT NULL,
    at         BIGINT NOT NULL
);
CREATE UNIQUE INDEX screenings_once ON screenings (session, provider, reference, list);

-- +goose Down
DROP TABLE screenings;
DROP TABLE canary_stops;
DROP TABLE shadow_decisions;
DROP TABLE sampling_keys;
ALTER TABLE review_votes DROP COLUMN blind;
DROP TABLE review_queue;
DROP INDEX sessions_simulated;
ALTER TABLE sessions DROP COLUMN device;
ALTER TABLE sessions DROP COLUMN simulated;
