-- Legal holds, residency regions, the record of erasures, and the order in which
-- data keys were destroyed (see storage.Vault.Settle).
-- +goose Up
ALTER TABLE objects ADD COLUMN region TEXT NOT NULL DEFAULT '';
-- A certificate lists what a class ever had.
CREATE INDEX objects_deleted ON objects (session, class) WHERE deleted_at > 0;

ALTER TABLE data_keys ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
CREATE INDEX data_keys_destroyed ON data_keys (seq) WHERE seq > 0;
CREATE TABLE data_keys_head (
    id  BIGINT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL
);

CREATE TABLE erasures (
    session      TEXT NOT NULL,
    class        TEXT NOT NULL,
    begun_at     BIGINT NOT NULL,
    certified_at BIGINT NOT NULL,
    PRIMARY KEY (session, class)
);
CREATE INDEX erasures_open ON erasures (begun_at) WHERE certified_at = 0;
INSERT INTO erasures (session, class, begun_at, certified_at)
    SELECT session, class, destroyed_at, destroyed_at FROM data_keys WHERE destroyed_at > 0;

CREATE TABLE legal_holds (
    id          TEXT NOT NULL PRIMARY KEY,
    session     TEXT NOT NULL,
    tenant      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    matter      TEXT NOT NULL,
    placed_by   TEXT NOT NULL,
    placed_at   BIGINT NOT NULL,
    lifted_by   TEXT NOT NULL,
    lift_reason TEXT NOT NULL,
    lifted_at   BIGINT NOT NULL
);
CREATE INDEX legal_holds_active ON legal_holds (session) WHERE lifted_at = 0;
CREATE INDEX legal_holds_session ON legal_holds (session, id);

-- What is due once for all processes, and how far loops have come.
CREATE TABLE vault_state (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Which keys of the keyring each running process holds.
CREATE TABLE keyring_nodes (
    node       TEXT NOT NULL PRIMARY KEY,
    primary_id TEXT NOT NULL,
    key_ids    TEXT NOT NULL,
    at         BIGINT NOT NULL
);

-- +goose Down
DROP TABLE keyring_nodes;
DROP TABLE vault_state;
DROP TABLE legal_holds;
DROP TABLE erasures;
DROP TABLE data_keys_head;
DROP INDEX data_keys_destroyed;
ALTER TABLE data_keys DROP COLUMN seq;
DROP INDEX objects_deleted;
ALTER TABLE objects DROP COLUMN region;
