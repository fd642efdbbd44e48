-- Who comes by a client id, which people may share, without reading all sessions there ever were.
create index sessions_by_client on sessions (realm, client_id, kind, subject);
