-- The data keys in a database of their own. The columns mean what they mean in
-- the session store (migrations/00002, 00005).
-- +goose Up
CREATE TABLE data_keys (
    session      TEXT NOT NULL,
    class        TEXT NOT NULL,
    key_id       TEXT NOT NULL,
    wrapped      BYTEA,
    created_at   BIGINT NOT NULL,
    destroyed_at BIGINT NOT NULL,
    seq          BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (session, class)
);
CREATE INDEX data_keys_live ON data_keys (key_id, session, class) WHERE destroyed_at = 0;
CREATE INDEX data_keys_destroyed ON data_keys (seq) WHERE seq > 0;
CREATE TABLE data_keys_head (
    id  BIGINT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL
);

-- +goose Down
DROP TABLE data_keys_head;
DROP TABLE data_keys;
