-- +goose Up
CREATE TABLE data_keys (
    session      TEXT NOT NULL,
    class        TEXT NOT NULL,
    key_id       TEXT NOT NULL,
    wrapped      BYTEA,
    created_at   BIGINT NOT NULL,
    destroyed_at BIGINT NOT NULL,
    PRIMARY KEY (session, class)
);
CREATE INDEX data_keys_live ON data_keys (key_id, session, class) WHERE destroyed_at = 0;

CREATE TABLE objects (
    id              TEXT NOT NULL PRIMARY KEY,
    session         TEXT NOT NULL,
    class           TEXT NOT NULL,
    kind            TEXT NOT NULL,
    blob_key        TEXT NOT NULL,
    size            BIGINT NOT NULL,
    sha256          TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    committed_at    BIGINT NOT NULL,
    retain_until    BIGINT NOT NULL,
    deleted_at      BIGINT NOT NULL,
    delete_failures BIGINT NOT NULL,
    delete_error    TEXT NOT NULL,
    delete_after    BIGINT NOT NULL
);
CREATE INDEX objects_session ON objects (session, class, created_at, id) WHERE deleted_at = 0;
CREATE INDEX objects_expiry ON objects (retain_until, id) WHERE deleted_at = 0;

-- The log's leaves, the Merkle tree's node hashes by stored-hash index
-- (golang.org/x/mod/sumdb/tlog), and the head that serialises appends.
CREATE TABLE audit_entries (
    seq     BIGINT NOT NULL PRIMARY KEY,
    session TEXT NOT NULL,
    at      BIGINT NOT NULL,
    body    BYTEA NOT NULL
);
CREATE INDEX audit_session ON audit_entries (session, seq) WHERE session <> '';
CREATE TABLE audit_hashes (
    idx  BIGINT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL
);
CREATE TABLE audit_head (
    id       BIGINT NOT NULL PRIMARY KEY,
    frontier BYTEA NOT NULL
);
CREATE TABLE checkpoints (
    size BIGINT NOT NULL PRIMARY KEY,
    at   BIGINT NOT NULL,
    note BYTEA NOT NULL
);

-- +goose Down
DROP TABLE checkpoints;
DROP TABLE audit_head;
DROP TABLE audit_hashes;
DROP TABLE audit_entries;
DROP TABLE objects;
DROP TABLE data_keys;
