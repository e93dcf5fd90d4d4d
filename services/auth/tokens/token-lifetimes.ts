/** Revocations are kept for as long as any token may live, so this bounds the log. */
export const DATASOURCE_TOKEN_TTL_SECONDS_MAX = 3_600;

/** An access token cannot be taken back where it is only verified, so it ends soon. */
export const ACCESS_TOKEN_TTL_SECONDS_MAX = 3_600;

/** Signing in again once a month is bearable. */
export const LOGIN_SESSION_TTL_MS = 30 * 24 * 60 * 60 * 1_000;

/** A login session that is not used for this long has been forgotten. */
export const REFRESH_TOKEN_TTL_MS = 7 * 24 * 60 * 60 * 1_000;
