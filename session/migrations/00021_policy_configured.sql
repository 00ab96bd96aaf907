-- Which policy the configuration named last, and whether it named one or meant the
-- shipped one: a restart must not undo what people activated since.
-- +goose Up
CREATE TABLE policy_configured (
    one   SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
    hash  TEXT NOT NULL,
    named SMALLINT NOT NULL
);
INSERT INTO policy_configured (one, hash, named)
    SELECT 1, hash, 1 FROM policy_changes WHERE proposed_by = 'system:config' ORDER BY id DESC LIMIT 1;

-- +goose Down
DROP TABLE policy_configured;
