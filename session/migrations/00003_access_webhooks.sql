-- +goose Up
CREATE TABLE api_keys (
    id           TEXT NOT NULL PRIMARY KEY,
    hash         BYTEA NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT NOT NULL
);
CREATE INDEX api_keys_tenant ON api_keys (tenant, id);

CREATE TABLE client_tokens (
    id         TEXT NOT NULL PRIMARY KEY,
    hash       BYTEA NOT NULL UNIQUE,
    session    TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);
CREATE INDEX client_tokens_session ON client_tokens (session, id);

CREATE TABLE idempotency (
    tenant      TEXT NOT NULL,
    idem_key    TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    fence       BIGINT NOT NULL,
    status      BIGINT NOT NULL,
    response    BYTEA,
    locked_at   BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, idem_key)
);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE webhook_endpoints (
    id              TEXT NOT NULL PRIMARY KEY,
    tenant          TEXT NOT NULL,
    url             TEXT NOT NULL,
    types           TEXT NOT NULL,
    secrets         BYTEA,
    created_at      BIGINT NOT NULL,
    disabled_at     BIGINT NOT NULL,
    disabled_reason TEXT NOT NULL
);
CREATE UNIQUE INDEX webhook_endpoints_url ON webhook_endpoints (tenant, url);

CREATE TABLE webhook_events (
    id         TEXT NOT NULL PRIMARY KEY,
    session    TEXT NOT NULL,
    type       TEXT NOT NULL,
    body       BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_events_session ON webhook_events (session, id);

CREATE TABLE webhook_deliveries (
    id           TEXT NOT NULL PRIMARY KEY,
    event        TEXT NOT NULL,
    endpoint     TEXT NOT NULL,
    session      TEXT NOT NULL,
    tries        BIGINT NOT NULL,
    status       BIGINT NOT NULL,
    reason       TEXT NOT NULL,
    next_at      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    delivered_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (event, endpoint);
CREATE INDEX webhook_deliveries_session ON webhook_deliveries (session, id);

-- +goose Down
DROP TABLE webhook_deliveries;
DROP TABLE webhook_events;
DROP TABLE webhook_endpoints;
DROP TABLE idempotency;
DROP TABLE client_tokens;
DROP TABLE api_keys;
