-- People who work here: accounts, their logins, waits after wrong passwords, and
-- grants to open evidence. Secrets are kept as hashes; what an address or a
-- name failed at is kept under a hash, and pruned.
-- +goose Up
CREATE TABLE accounts (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    roles       TEXT NOT NULL,
    password    TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    totp        BYTEA,
    totp_step   BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    password_at BIGINT NOT NULL,
    login_at    BIGINT NOT NULL,
    disabled_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX accounts_subject ON accounts (issuer, subject) WHERE subject <> '';

CREATE TABLE logins (
    id         TEXT NOT NULL PRIMARY KEY,
    hash       BYTEA NOT NULL UNIQUE,
    account    TEXT NOT NULL,
    method     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL
);
CREATE INDEX logins_account ON logins (account, id);

CREATE TABLE login_tries (
    subject TEXT NOT NULL PRIMARY KEY,
    wrong   BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    until   BIGINT NOT NULL
);
CREATE INDEX login_tries_at ON login_tries (at);

CREATE TABLE evidence_grants (
    id          TEXT NOT NULL PRIMARY KEY,
    session     TEXT NOT NULL,
    account     TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    words       TEXT NOT NULL,
    salt        TEXT NOT NULL,
    life        BIGINT NOT NULL,
    asked_at    BIGINT NOT NULL,
    approver    TEXT NOT NULL,
    begins_at   BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    ended_by    TEXT NOT NULL,
    openings    BIGINT NOT NULL
);
CREATE INDEX evidence_grants_session ON evidence_grants (session, id);
CREATE INDEX evidence_grants_account ON evidence_grants (account, id);
CREATE INDEX evidence_grants_open ON evidence_grants (expires_at) WHERE ended_at = 0;

-- +goose Down
DROP TABLE evidence_grants;
DROP TABLE login_tries;
DROP TABLE logins;
DROP TABLE accounts;
