/**
 * The RPCs that browsers use, each by its name. What is not named here is private, so that a new
 * RPC becomes public only when somebody writes it down.
 */
export const PUBLIC_RPCS = [
  { service: "portcullis.auth.v1.AuthService", methods: ["Login", "Refresh", "Logout"] },
  {
    service: "portcullis.auth.v1.DatasourceService",
    methods: ["MintToken", "MintTokens", "RevokeToken"],
  },
] as const;

/** Their paths. */
export const PUBLIC_RPC_PATHS: readonly string[] = PUBLIC_RPCS.flatMap(({ service, methods }) =>
  methods.map((method) => `/${service}/${method}`),
);

/** One pattern for all of them, in the syntax that PCRE, RE2 and JavaScript agree on. */
export const PUBLIC_RPC_PATTERN = `^/(${PUBLIC_RPCS.map(({ service, methods }) => {
  return `${service.replaceAll(".", "\\.")}/(${methods.join("|")})`;
}).join("|")})$`;
