import { DEMO_ACCOUNT, PATIENCE, startSystem, TOKENS } from "../fixtures/services.ts";

/** The system under test: one that the test starts, or a running deployment. */
export type SmokeTarget = {
  authUrl: string;
  /** Undefined if the limiter is not reachable from here. */
  limiterUrl: string | undefined;
  account: { email: string; password: string };
  datasources: { public: string; private: string };
  /** A missing token skips the checks that need it. */
  gatewayToken: string | undefined;
  operatorToken: string | undefined;
  stop(): Promise<void>;
};

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A running deployment is named by SMOKE_API_URL, with SMOKE_EMAIL and SMOKE_PASSWORD of an account
 * for it, SMOKE_PUBLIC_DATASOURCE (demo) and SMOKE_PRIVATE_DATASOURCE (demo-private). Optional:
 * SMOKE_LIMITER_URL with SMOKE_OPERATOR_TOKEN, and SMOKE_GATEWAY_TOKEN, for what is not public.
 */
export async function openSmokeTarget(environment: Environment): Promise<SmokeTarget> {
  const { SMOKE_API_URL: authUrl } = environment;
  if (authUrl === undefined) return await startTarget();
  return {
    ...readSmokeAccount(environment),
    authUrl,
    limiterUrl: environment["SMOKE_LIMITER_URL"],
    gatewayToken: environment["SMOKE_GATEWAY_TOKEN"],
    operatorToken: environment["SMOKE_OPERATOR_TOKEN"],
    stop: async () => undefined,
  };
}

/** Returns the account and the datasources of a running deployment. */
export function readSmokeAccount(
  environment: Environment,
): Pick<SmokeTarget, "account" | "datasources"> {
  return {
    account: {
      email: environment["SMOKE_EMAIL"] ?? DEMO_ACCOUNT.email,
      password: environment["SMOKE_PASSWORD"] ?? DEMO_ACCOUNT.password,
    },
    datasources: {
      public: environment["SMOKE_PUBLIC_DATASOURCE"] ?? "demo",
      private: environment["SMOKE_PRIVATE_DATASOURCE"] ?? "demo-private",
    },
  };
}

async function startTarget(): Promise<SmokeTarget> {
  const system = await startSystem({ services: ["limiter", "auth"], environment: PATIENCE });
  return {
    ...readSmokeAccount({}),
    authUrl: system.urls.auth,
    limiterUrl: system.urls.limiter,
    gatewayToken: TOKENS.gateway,
    operatorToken: TOKENS.operator,
    stop: system.stop,
  };
}
