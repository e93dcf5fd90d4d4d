import type {} from "pg";

// What of pg is used here and its types do not tell. The version of pg is pinned; tests that hang
// real servers hold these names to it.
declare module "pg" {
  interface Client {
    /** Of the backend, or what a pooler names instead; with the key it can be interrupted. */
    readonly processID: number | null;
    readonly secretKey: number | null;
    /** False while a statement is under way; unset before the first one could be. */
    readonly readyForQuery?: boolean;
    readonly connectionParameters: { query_timeout?: number | undefined };
  }

  interface Connection {
    connect(port: number | string, host?: string): void;
    requestSsl(): void;
    cancel(processId: number, secretKey: number): void;
  }

  interface Pool {
    /** Goes on with who waits for a connection. */
    _pulseQueue(): void;
  }
}
