-- What an automatic decision was computed from, and every policy and catalogue
-- of reason codes that was ever in force, by the hash of its rules.
-- +goose Up
ALTER TABLE decisions ADD COLUMN basis TEXT NOT NULL DEFAULT '';
CREATE TABLE rules (
    hash    TEXT NOT NULL PRIMARY KEY,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    body    TEXT NOT NULL,
    at      BIGINT NOT NULL
);

-- +goose Down
DROP TABLE rules;
ALTER TABLE decisions DROP COLUMN basis;
