/**
 * The largest request head: 16 KiB of cookies that nobody reads, and what a browser sends beside
 * them. The websocket library answers 431 to more, and to more than 98 header lines. It keeps an
 * unfinished head in memory, so this times the waiting connections bounds what strangers hold.
 */
export const HEAD_BYTES_MAX = 18 * 1024;

/** The websocket library reads its bound on heads from here, once, while it is loaded. */
export const HEAD_BYTES_VARIABLE = "UWS_HTTP_MAX_HEADERS_SIZE";
