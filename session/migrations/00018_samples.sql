-- Cases that the machine decided by itself and that a person judges as well,
-- without knowing what was decided. chance is the share that they were drawn
-- with. state: open, judged, or gone with the evidence.
-- +goose Up
CREATE TABLE review_samples (
    session     TEXT NOT NULL PRIMARY KEY,
    attempt     BIGINT NOT NULL,
    queue       TEXT NOT NULL,
    machine     TEXT NOT NULL,
    policy_hash TEXT NOT NULL,
    chance      DOUBLE PRECISION NOT NULL,
    entered_at  BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    state       TEXT NOT NULL,
    account     TEXT NOT NULL,
    taken_at    BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    outcome     TEXT NOT NULL,
    codes       TEXT NOT NULL,
    note        TEXT NOT NULL,
    at          BIGINT NOT NULL
);
CREATE INDEX review_samples_open ON review_samples (due_at, session) WHERE state = 'open';
CREATE INDEX review_samples_judged ON review_samples (at) WHERE state = 'judged';

-- What waits or was given up is counted without looking at what is done.
CREATE INDEX outbox_undone ON outbox (kind, state, available_at) WHERE state <> 'done';

-- With what chance a score's case was drawn (0: it was not), and whether a person
-- has judged it since.
ALTER TABLE case_scores ADD COLUMN drawn DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE case_scores ADD COLUMN judged SMALLINT NOT NULL DEFAULT 0;

-- +goose Down
DROP INDEX outbox_undone;
ALTER TABLE case_scores DROP COLUMN judged;
ALTER TABLE case_scores DROP COLUMN drawn;
DROP TABLE review_samples;
