-- Challenges to a person before the camera (turns of the head), each for one
-- session, one answer and a short time; and what tells that a document number or
-- a face was seen under another subject: a keyed hash, never the number, and the
-- vault object that holds an encrypted template.
-- +goose Up
CREATE TABLE challenges (
    id          TEXT NOT NULL PRIMARY KEY,
    session     TEXT NOT NULL,
    attempt     BIGINT NOT NULL,
    nonce       BYTEA NOT NULL UNIQUE,
    steps       TEXT NOT NULL,
    hints       TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    answered_at BIGINT NOT NULL,
    answer      TEXT NOT NULL
);
CREATE INDEX challenges_session ON challenges (session, id);

-- A person who chose another way than a challenge.
CREATE TABLE assisted (
    session TEXT NOT NULL PRIMARY KEY,
    attempt BIGINT NOT NULL,
    at      BIGINT NOT NULL
);

CREATE TABLE subject_marks (
    session    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    tenant     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    mark       TEXT NOT NULL,
    object     TEXT NOT NULL,
    at         BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (session, kind)
);
CREATE INDEX subject_marks_mark ON subject_marks (tenant, kind, mark, at) WHERE mark <> '';
CREATE INDEX subject_marks_recent ON subject_marks (tenant, kind, at);
CREATE INDEX subject_marks_expiry ON subject_marks (expires_at);

-- A tenant's own key for those hashes, sealed by the keyring.
CREATE TABLE tenant_keys (
    tenant TEXT NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL
);

-- +goose Down
DROP TABLE tenant_keys;
DROP TABLE subject_marks;
DROP TABLE assisted;
DROP TABLE challenges;
