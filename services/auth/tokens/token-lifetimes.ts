/** Bounds the revocation log, which keeps entries for the longest lifetime of a token. */
export const DATASOURCE_TOKEN_TTL_SECONDS_MAX = 3_600;

/** Short, since a verifier without the database cannot see that an access token was revoked. */
export const ACCESS_TOKEN_TTL_SECONDS_MAX = 3_600;

/** Signing in once a month is acceptable. */
export const LOGIN_SESSION_TTL_MS = 30 * 24 * 60 * 60 * 1_000;

/** A login session that is not refreshed for this time ends. */
export const REFRESH_TOKEN_TTL_MS = 7 * 24 * 60 * 60 * 1_000;
