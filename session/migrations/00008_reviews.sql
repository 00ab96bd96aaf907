-- Who has which case in review on the desk, and what each reviewer said.
-- +goose Up
CREATE TABLE review_claims (
    session    TEXT NOT NULL PRIMARY KEY,
    attempt    BIGINT NOT NULL,
    account    TEXT NOT NULL,
    claimed_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE review_votes (
    id        TEXT NOT NULL PRIMARY KEY,
    session   TEXT NOT NULL,
    attempt   BIGINT NOT NULL,
    account   TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    codes     TEXT NOT NULL,
    overrides SMALLINT NOT NULL,
    note      TEXT NOT NULL,
    seconds   BIGINT NOT NULL,
    at        BIGINT NOT NULL
);
CREATE UNIQUE INDEX review_votes_once ON review_votes (session, attempt, account);

-- +goose Down
DROP TABLE review_votes;
DROP TABLE review_claims;
