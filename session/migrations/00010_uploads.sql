-- Uploads that arrive in parts (tus 1.0). A part is an encrypted object of the
-- vault; the rows say in which order they make the file. They hold ids, sizes
-- and, until the file is judged, its digest, so that a creation whose answer was
-- lost finds the same upload again.
-- +goose Up
CREATE TABLE uploads (
    id            TEXT NOT NULL PRIMARY KEY,
    session       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    document_type TEXT NOT NULL,
    insist        SMALLINT NOT NULL,
    sha256        TEXT NOT NULL,
    size          BIGINT NOT NULL,
    received      BIGINT NOT NULL,
    answer        TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    ended_at      BIGINT NOT NULL
);
CREATE INDEX uploads_session ON uploads (session, id);

CREATE TABLE upload_parts (
    upload  TEXT NOT NULL,
    at_byte BIGINT NOT NULL,
    size    BIGINT NOT NULL,
    object  TEXT NOT NULL,
    PRIMARY KEY (upload, at_byte)
);

-- +goose Down
DROP TABLE upload_parts;
DROP TABLE uploads;
