import picocolors from "picocolors";
import type { PortName, UpConfig } from "./up-config.ts";

const { bold, dim } = picocolors;

/**
 * The password of our own Postgres is random, valid for this folder alone, and usable on loopback
 * only. It is shown so that the URL works in `psql`. The password of an external `DATABASE_URL` is
 * hidden.
 */
type ShownDatabase = { url: string; isOurs: boolean };

/** Shows the address of each service, and one command to try each. */
export function welcomeText(
  ports: Readonly<Record<PortName, number>>,
  database: ShownDatabase,
  { publisherToken }: Pick<UpConfig, "publisherToken">,
): string {
  const at = (port: number) => `http://127.0.0.1:${port}`;
  const auth = at(ports.AUTH_PORT);
  const limiter = at(ports.LIMITER_PORT);
  const rows = [
    ["auth", auth, metricsUrl(ports.AUTH_METRICS_PORT)],
    ["", at(ports.AUTH_ADMIN_PORT), "operators only"],
    ["limiter", limiter, metricsUrl(ports.LIMITER_METRICS_PORT)],
    [
      "gateway",
      `ws://127.0.0.1:${ports.GATEWAY_PORT}/gateway/realtime`,
      metricsUrl(ports.GATEWAY_METRICS_PORT),
    ],
    ["", at(ports.GATEWAY_RPC_PORT), "publishers and operators only"],
    ["postgres", database.isOurs ? database.url : withoutPassword(database.url), ""],
  ];
  const examples = [
    [
      "sign in with the demo account",
      post(`${auth}/portcullis.auth.v1.AuthService/Login`, {
        email: "demo@portcullis.test",
        password: "portcullis-demo",
      }),
    ],
    [
      "mint a token for the public datasource (demo-private needs the access token of a sign-in)",
      post(`${auth}/portcullis.auth.v1.DatasourceService/MintToken`, { datasource: "demo" }),
    ],
    ["watch live updates", watchCommand(ports.GATEWAY_PORT)],
    [
      "publish one",
      post(
        `${at(ports.GATEWAY_RPC_PORT)}/portcullis.realtime.v1.PublishService/Publish`,
        { datasource: "demo", json: { hello: "world" } },
        shownToken(publisherToken, "PUBLISHER_SERVICE_TOKEN"),
      ),
    ],
    [
      "ask the limiter",
      post(
        `${limiter}/portcullis.limiter.v1.LimiterService/Consume`,
        { buckets: [{ policy: "realtime.connect.ip", key: "203.0.113.9" }] },
        "development-operator-token",
      ),
    ],
    [
      "see what was decided",
      `curl -s ${metricsUrl(ports.AUTH_METRICS_PORT)} | grep portcullis_limiter_outcomes`,
    ],
  ];
  return [
    "",
    ...rows.map(([name = "", url = "", metrics = ""]) =>
      `  ${bold(name.padEnd(9))} ${url.padEnd(42)} ${dim(metrics)}`.trimEnd(),
    ),
    ...examples.flatMap(([title = "", command = ""]) => [
      "",
      `  ${dim(`# ${title}`)}`,
      `  ${command}`,
    ]),
    "",
    `  ${dim("Ctrl-C stops everything.")}`,
    "",
  ].join("\n");
}

function metricsUrl(port: number): string {
  return `http://127.0.0.1:${port}/metrics`;
}

function post(url: string, body: unknown, token?: string): string {
  const authorization = token === undefined ? "" : ` -H "authorization: Bearer ${token}"`;
  return `curl -s ${url}${authorization} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
}

function watchCommand(port: number): string {
  return `GATEWAY_URL=http://127.0.0.1:${port} node examples/watch.js`;
}

/** Shows a development token as it is, and any other token as the name of its variable. */
function shownToken(token: string, variable: string): string {
  return token.startsWith("development-") ? token : `$${variable}`;
}

/** Removes the password, which may also be a query parameter. */
function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.password = "";
  url.search = "";
  return url.href;
}
