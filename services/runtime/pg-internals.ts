import type {} from "pg";

// Internals of pg that we use and its types omit. The version of pg is pinned, and tests against
// real servers that hang fail if these change.
declare module "pg" {
  interface Client {
    /** The backend's process, or the id that a pooler sends. Cancelling needs it and the key. */
    readonly processID: number | null;
    readonly secretKey: number | null;
    /** False while a statement runs; unset until the server is ready for the first one. */
    readonly readyForQuery?: boolean;
    readonly connectionParameters: { query_timeout?: number | undefined };
  }

  interface Connection {
    connect(port: number | string, host?: string): void;
    requestSsl(): void;
    cancel(processId: number, secretKey: number): void;
  }

  interface Pool {
    /** Serves the callers that wait for a connection. */
    _pulseQueue(): void;
  }
}
