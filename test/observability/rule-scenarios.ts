/** Samples in promtool's notation, by series. */
export type Series = Readonly<Record<string, string>>;

/** A scenario, and the exact set of alerts that must fire in it. */
export type Scenario = {
  name: string;
  alerts: readonly string[];
  /** The differences from a healthy system. */
  change: Series;
  /** Series without any sample. */
  without?: readonly string[];
  /** Only the series of the objectives, over days instead of minutes. */
  isLong?: boolean;
};

const CANARY = "canary";

/** Samples of a counter, one per minute, that grows by a step every 15 seconds. */
const grows = (step: number) => `0+${step * 4}x60`;
/** Samples of a constant gauge. */
const stays = (value: number) => `${value}+0x60`;
/** For scenarios of several days: samples every five minutes. */
const growsLong = (step: number) => `0+${step}x400`;

const outcome = (name: string, track = "stable", surface = "api", policy = "login.ip") =>
  `portcullis_limiter_outcomes_total{app="auth",track="${track}",surface="${surface}",policy="${policy}",outcome="${name}"}`;
const upgrade = (result: string, track = "stable") =>
  `portcullis_realtime_upgrades_total{app="gateway",track="${track}",result="${result}"}`;
const rejected = (status: string, track: string) =>
  `portcullis_realtime_rejected_total{app="gateway",track="${track}",status="${status}"}`;
const closed = (code: string, track: string) =>
  `portcullis_realtime_closes_total{app="gateway",track="${track}",code="${code}"}`;
const up = (app: string, track = "stable") =>
  `up{job="portcullis",app="${app}",track="${track}",instance="${app}-${track}"}`;
const clientIp = (metric: string, service: string, track: string, more = "") =>
  `portcullis_client_ip_${metric}{app="${service}",track="${track}",service="${service}"${more}}`;
const derivations = (warning: string, service: string, track: string) =>
  clientIp("derivations_total", service, track, `,source="forwarded",warning="${warning}"`);
const entries = (le: string, service: string, track: string) =>
  clientIp("entries_bucket", service, track, `,le="${le}"`);
const config = (service: string, track: string, hops = "1", hash = "a", split = "") =>
  `portcullis_config_info{app="${service}",track="${track}",instance="${service}-${track}",service="${service}",hops="${hops}",hash="${hash}",split="${split}"}`;
const consumeBucket = (le: string, track: string) =>
  `rpc_server_call_duration_bucket{app="limiter",track="${track}",rpc_method="portcullis.limiter.v1.LimiterService/Consume",rpc_response_status_code="ok",le="${le}"}`;
const lockBucket = (le: string, track: string) =>
  `db_client_operation_duration_bucket{app="limiter",track="${track}",db_operation_name="lock_buckets",le="${le}"}`;
const operations = (errorType: string) =>
  `db_client_operation_duration_count{app="limiter",track="stable",db_operation_name="commit",error_type="${errorType}"}`;
const authCalls = (code: string, track: string) =>
  `rpc_server_call_duration_count{app="auth",track="${track}",rpc_method="portcullis.auth.v1.AuthService/Login",rpc_response_status_code="${code}"}`;
const ofProcess = (metric: string, app: string, track: string) =>
  `${metric}{app="${app}",track="${track}",instance="${app}-${track}"}`;
const dependency = (app: string, name: string, track: string) =>
  `portcullis_dependency_up{app="${app}",track="${track}",instance="${app}-${track}",dependency="${name}"}`;
const eventLoopTime = (app: string) =>
  `nodejs_eventloop_time_total{app="${app}",track="stable",instance="${app}-stable",nodejs_eventloop_state="active"}`;
const failureMode = (mode: string) =>
  `portcullis_failure_mode{app="auth",track="stable",surface="api",mode="${mode}"}`;

/** A canary with a fifth of stable's traffic; both are healthy. */
export const healthy: Series = {
  ...healthyTrack("stable", 300),
  ...healthyTrack("canary", 60),
  [failureMode("fail-closed")]: stays(1),
  [failureMode("fail-open")]: stays(0),
  'portcullis_failure_mode_ended_total{app="auth",track="stable",surface="api"}': stays(0),
  'portcullis_auth_logins_total{app="auth",track="stable",result="ok"}': grows(100),
  'portcullis_auth_logins_total{app="auth",track="stable",result="unavailable"}': stays(0),
  'portcullis_realtime_revocation_lag{app="gateway",track="stable",instance="gateway-stable"}':
    stays(1),
  'portcullis_limiter_shed_total{app="limiter",track="stable",instance="limiter-stable"}': stays(0),
  'portcullis_limiter_conflicts_total{app="limiter",track="stable",instance="limiter-stable",kind="lock-timeout"}':
    stays(0),
  [operations("")]: grows(300),
  [operations("40001")]: grows(1),
};

function healthyTrack(track: string, step: number): Series {
  const series: Record<string, string> = {};
  for (const service of ["auth", "gateway"]) {
    series[derivations("none", service, track)] = grows(step);
    series[derivations("missing_or_invalid", service, track)] = stays(0);
    for (const le of ["0", "1", "2", "+Inf"]) {
      series[entries(le, service, track)] = le === "0" ? stays(0) : grows(step);
    }
    series[clientIp("entries_count", service, track)] = grows(step);
    series[clientIp("entries_sum", service, track)] = grows(step);
    series[clientIp("distinct_keys", service, track)] = stays(step * 2);
    series[clientIp("top_key_share", service, track)] = stays(0.02);
  }
  for (const [app, descriptors] of [
    ["auth", 80],
    ["limiter", 60],
    ["gateway", step * 4 + 90],
  ] as const) {
    series[up(app, track)] = stays(1);
    series[config(app, track)] = stays(1);
    series[ofProcess("nodejs_eventloop_delay_p99", app, track)] = stays(0.02);
    series[ofProcess("v8js_memory_heap_used", app, track)] = stays(80_000_000);
    series[ofProcess("process_open_file_descriptors", app, track)] = stays(descriptors);
  }
  for (const [surface, policy] of [
    ["api", "login.ip"],
    ["realtime", "realtime.connect.ip"],
  ] as const) {
    series[outcome("allow", track, surface, policy)] = grows(step);
    series[outcome("reject", track, surface, policy)] = grows(step / 20);
    series[outcome("backend-error", track, surface, policy)] = stays(0);
    series[outcome("fail-closed", track, surface, policy)] = stays(0);
  }
  for (const le of ["0.01", "0.1", "0.5", "+Inf"]) {
    series[consumeBucket(le, track)] = grows(step);
    series[lockBucket(le, track)] = grows(step);
  }
  series[authCalls("ok", track)] = grows(step);
  series[authCalls("unauthenticated", track)] = grows(step / 60);
  series[authCalls("resource_exhausted", track)] = grows(step / 60);
  series[upgrade("accepted", track)] = grows(step);
  series[upgrade("limited", track)] = grows(step / 60);
  series[upgrade("unavailable", track)] = stays(0);
  series[rejected("429", track)] = grows(step / 60);
  series[rejected("400", track)] = stays(0);
  series[rejected("503", track)] = stays(0);
  series[closed("1000", track)] = grows(step);
  series[closed("1006", track)] = grows(step / 60);
  series[ofProcess("portcullis_realtime_connections", "gateway", track)] = stays(step * 4);
  return series;
}

/** The series of the objectives, healthy for a day. */
export const healthyLong: Series = {
  [outcome("allow")]: growsLong(1_000),
  [outcome("backend-error")]: growsLong(0.5),
  [upgrade("accepted")]: growsLong(1_000),
  [upgrade("unavailable")]: growsLong(0.5),
  [up("auth")]: "1+0x400",
  [up("limiter")]: "1+0x400",
  [up("gateway")]: "1+0x400",
};

const burning = (name: string, errors: string, level: readonly string[]): Scenario => ({
  name,
  alerts: level.flatMap((suffix) => [`DecisionBudget${suffix}`, `UpgradeBudget${suffix}`]),
  change: { [outcome("backend-error")]: errors, [upgrade("unavailable")]: errors },
  isLong: true,
});

/** No errors for a number of intervals, then errors at a rate. */
const late = (intervals: number, step: number, more: number) =>
  `0+0x${intervals - 1} ${step}+${step}x${more}`;

export const objectiveScenarios: readonly Scenario[] = [
  burning("0.2 % for days", growsLong(2), ["Erodes"]),
  burning("0.4 % for days", growsLong(4), ["BurnsSlowly", "Erodes"]),
  burning("1 % for days", growsLong(10), ["BurnsSlowly", "BurnsSteadily", "Erodes"]),
  burning("2 % for days", growsLong(20), ["BurnsFast", "BurnsSlowly", "BurnsSteadily", "Erodes"]),
  // The last sample in use is number 360, after 30 hours.
  burning("5 % for the last hour", late(348, 50, 52), ["BurnsFast", "BurnsSteadily", "Erodes"]),
  // Eleven intervals are 55 minutes of data.
  {
    name: "errors from the first moment of data on",
    alerts: [],
    change: {
      [outcome("allow")]: "_x349 0+1000x60",
      [outcome("backend-error")]: "_x349 0+500x60",
      [upgrade("accepted")]: "_x349 0+1000x60",
      [upgrade("unavailable")]: "_x349 0+500x60",
    },
    isLong: true,
  },
  {
    name: "fewer than ten failures of a quiet night",
    alerts: ["DecisionBudgetErodes", "UpgradeBudgetErodes"],
    change: {
      [outcome("allow")]: growsLong(10),
      [outcome("backend-error")]: late(348, 0.6, 52),
      [upgrade("accepted")]: growsLong(10),
      [upgrade("unavailable")]: late(348, 0.6, 52),
    },
    isLong: true,
  },
  burning("a short outage that is over", "0+0x350 1000+0x50", ["BurnsSlowly", "Erodes"]),
  burning("a short outage that was over yesterday", "0+0x40 20+0x360", []),
];

/** The alerts of a database outage while no error budget has burned. */
export const DATABASE_OUTAGE: readonly string[] = [
  "DatabaseDown",
  "DatabaseErrors",
  "RequestsFailClosed",
  "CanaryFailsClosed",
  "LoginsUnavailable",
  "RevocationsLate",
  "AuthUnavailable",
  "UpgradesServerErrors",
  "UpgradesRefused",
];

export const scenarios: readonly Scenario[] = [
  { name: "everything is well", alerts: [], change: {} },
  {
    name: "the database is gone",
    alerts: DATABASE_OUTAGE,
    change: Object.fromEntries([
      ...["stable", CANARY].flatMap((track) => [
        [dependency("auth", "postgres", track), "1+0x15 0+0x60"],
        [dependency("limiter", "postgres", track), "1+0x15 0+0x60"],
        [outcome("backend-error", track), grows(60)],
        [outcome("fail-closed", track), grows(60)],
        [authCalls("unavailable", track), grows(60)],
        [upgrade("unavailable", track), grows(60)],
        [rejected("503", track), grows(60)],
      ]),
      ['portcullis_auth_logins_total{app="auth",track="stable",result="unavailable"}', grows(1)],
      [operations("57P01"), grows(300)],
      [
        'portcullis_realtime_revocation_lag{app="gateway",track="stable",instance="gateway-stable"}',
        "1+0x15 60+60x60",
      ],
    ]),
  },
  {
    name: "one replica does not reach the database, and another does",
    alerts: [],
    change: {
      [dependency("auth", "postgres", "stable")]: stays(1),
      [dependency("auth", "postgres", CANARY)]: stays(0),
    },
  },
  {
    name: "one address is most of the traffic from the first day on",
    alerts: ["ClientsCollapsed"],
    change: Object.fromEntries(
      ["stable", CANARY].flatMap((track) => [
        [clientIp("top_key_share", "auth", track), stays(1)],
        [clientIp("distinct_keys", "auth", track), stays(1)],
      ]),
    ),
    without: [],
  },
  {
    name: "most addresses are those of a CDN",
    alerts: ["ClientsLookLikeProxies"],
    change: {
      [clientIp("proxy_like_total", "auth", "stable", ',network="cdn"')]: grows(280),
      [clientIp("proxy_like_total", "auth", "stable", ',network="private"')]: grows(10),
    },
  },
  {
    name: "a peer is believed that was never seen before",
    alerts: ["UnknownPeerBelieved"],
    change: {
      [clientIp("new_peers_total", "auth", "stable", ',phase="later"')]: "0+0x25 1+0x60",
    },
  },
  {
    name: "a process learns its proxies",
    alerts: [],
    change: {
      [clientIp("new_peers_total", "auth", "stable", ',phase="start"')]: "0+0x25 3+0x60",
      [clientIp("new_peers_total", "auth", "stable", ',phase="later"')]: stays(0),
    },
  },
  {
    name: "a service is started again and again",
    alerts: ["ServiceRestarts"],
    change: {
      [eventLoopTime("auth")]: "0+60x10 0+60x3 0+60x3 0+60x3 0+60x60",
    },
  },
  {
    name: "a service was started once",
    alerts: [],
    change: { [eventLoopTime("auth")]: "0+60x10 0+60x60" },
  },
  {
    name: "limits fail open",
    alerts: ["FailOpenInForce"],
    change: { [failureMode("fail-open")]: stays(1), [failureMode("fail-closed")]: stays(0) },
  },
  {
    name: "fail-open has ended by itself",
    alerts: ["FailOpenEnded"],
    change: {
      'portcullis_failure_mode_ended_total{app="auth",track="stable",surface="api"}':
        "0+0x15 1+0x60",
    },
  },
  {
    name: "fail-open was over when the process started",
    alerts: ["FailOpenEnded"],
    change: {
      'portcullis_failure_mode_ended_total{app="auth",track="stable",surface="api"}': "_x20 1+0x60",
    },
  },
  {
    name: "fail-open was over when the process started, long ago",
    alerts: [],
    change: {
      'portcullis_failure_mode_ended_total{app="auth",track="stable",surface="api"}': stays(1),
    },
  },
  {
    name: "requests at stable fail closed",
    alerts: ["RequestsFailClosed"],
    change: { [outcome("fail-closed")]: grows(0.1) },
  },
  {
    name: "requests at the canary fail closed",
    alerts: ["CanaryFailsClosed", "RequestsFailClosed"],
    change: { [outcome("fail-closed", CANARY)]: grows(0.1) },
  },
  {
    name: "nobody can sign in",
    alerts: ["LoginsUnavailable"],
    change: {
      'portcullis_auth_logins_total{app="auth",track="stable",result="unavailable"}': grows(1),
    },
  },
  {
    name: "a service is down",
    alerts: ["ServiceDown"],
    change: { [up("gateway", CANARY)]: "1+0x15 0+0x60" },
  },
  {
    name: "a service is not scraped at all",
    alerts: ["ServicesMissing"],
    change: {},
    without: [up("limiter"), up("limiter", CANARY)],
  },
  {
    name: "the gateway does not hear of revocations",
    alerts: ["RevocationsLate"],
    change: {
      'portcullis_realtime_revocation_lag{app="gateway",track="stable",instance="gateway-stable"}':
        stays(11),
    },
  },
  {
    name: "the limiter sheds load",
    alerts: ["LimiterOverloaded"],
    change: {
      'portcullis_limiter_shed_total{app="limiter",track="stable",instance="limiter-stable"}':
        grows(1),
    },
  },
  {
    name: "flushes wait too long for rows",
    alerts: ["LimiterLockTimeouts"],
    change: {
      'portcullis_limiter_conflicts_total{app="limiter",track="stable",instance="limiter-stable",kind="lock-timeout"}':
        grows(1),
    },
  },
  {
    name: "database operations fail",
    alerts: ["DatabaseErrors"],
    change: { [operations("40001")]: grows(10) },
  },
  {
    name: "forwarded addresses cannot be used",
    alerts: ["ClientIpWarnings"],
    change: { [derivations("missing_or_invalid", "auth", CANARY)]: grows(1) },
  },
  {
    name: "the number of entries varies a little",
    alerts: ["ClientIpEntriesVary"],
    change: {
      [entries("1", "auth", CANARY)]: grows(59.4),
      [clientIp("entries_sum", "auth", CANARY)]: grows(60.6),
    },
  },
  {
    name: "without hops, what clients write themselves varies",
    alerts: [],
    change: Object.fromEntries(
      ["auth", "gateway"].flatMap((service) => [
        [config(service, CANARY, "0"), stays(1)],
        [entries("0", service, CANARY), grows(30)],
        [clientIp("entries_sum", service, CANARY), grows(30)],
      ]),
    ),
    without: [config("auth", CANARY), config("gateway", CANARY)],
  },
  {
    name: "an edge began to write the header, and the hops followed",
    alerts: [],
    change: Object.fromEntries(
      ["auth", "gateway"].flatMap((service) => [
        [config(service, CANARY, "0"), "1+0x26"],
        [config(service, CANARY), "_x26 1+0x30"],
        [entries("0", service, CANARY), "0+240x25 6000+0x34"],
        [clientIp("entries_sum", service, CANARY), "0+0x24 0+240x35"],
      ]),
    ),
  },
  {
    name: "auth and gateway see different headers",
    alerts: ["IdentityDisagrees", "ClientIpEntriesVary"],
    change: {
      [entries("1", "auth", CANARY)]: grows(50),
      [clientIp("entries_sum", "auth", CANARY)]: grows(70),
    },
  },
  {
    name: "the number of entries is not that of the hops, everywhere",
    alerts: ["ClientIpEntriesNotHops"],
    change: Object.fromEntries(
      ["auth", "gateway"].flatMap((service) => [
        [entries("1", service, CANARY), stays(0)],
        [clientIp("entries_sum", service, CANARY), grows(120)],
      ]),
    ),
  },
  {
    name: "auth and gateway are configured with different hops for too long",
    alerts: ["ClientIpEntriesNotHops", "HopsDisagree"],
    change: { [config("gateway", CANARY, "2")]: stays(1) },
    without: [config("gateway", CANARY)],
  },
  {
    name: "clients collapse into one address",
    alerts: ["ClientKeysCollapse"],
    change: { [clientIp("distinct_keys", "auth", CANARY)]: stays(90) },
  },
  {
    name: "clients make addresses up",
    alerts: ["ClientKeysExplode"],
    change: { [clientIp("distinct_keys", "auth", CANARY)]: stays(750) },
  },
  {
    name: "clients who each stay with one track make addresses up",
    alerts: ["ClientKeysExplode"],
    change: {
      [clientIp("distinct_keys", "auth", CANARY)]: stays(150),
      [config("auth", CANARY, "1", "a", "clients")]: stays(1),
    },
    without: [config("auth", CANARY)],
  },
  {
    name: "the canary takes single requests of many of the same clients",
    alerts: [],
    change: { [clientIp("distinct_keys", "auth", CANARY)]: stays(230) },
  },
  {
    name: "the canary takes most requests of the same clients",
    alerts: [],
    change: {
      [derivations("none", "auth", CANARY)]: grows(1_500),
      [clientIp("distinct_keys", "auth", CANARY)]: stays(900),
    },
  },
  {
    name: "keys differ within the bound",
    alerts: [],
    change: {
      [clientIp("distinct_keys", "auth", CANARY)]: stays(100),
      [clientIp("distinct_keys", "gateway", CANARY)]: stays(140),
    },
  },
  {
    name: "one address makes up too much",
    alerts: ["TopKeyShareHigh"],
    change: { [clientIp("top_key_share", "gateway", CANARY)]: stays(0.08) },
  },
  {
    name: "the canary rejects more than stable",
    alerts: ["RejectionsHigh"],
    change: { [outcome("reject", CANARY)]: grows(6) },
  },
  {
    name: "the canary rejects somewhat more than stable",
    alerts: [],
    change: { [outcome("reject", CANARY)]: grows(3.5) },
  },
  {
    name: "the canary rejects nothing",
    alerts: ["RejectionsVanished"],
    change: { [outcome("reject", CANARY)]: stays(0) },
  },
  {
    name: "decisions at the canary are slow",
    alerts: ["LimiterSlow"],
    change: {
      [consumeBucket("0.01", CANARY)]: grows(50),
      [consumeBucket("0.1", CANARY)]: grows(58),
    },
  },
  {
    name: "decisions are slow everywhere",
    alerts: ["LimiterSlow"],
    change: Object.fromEntries(
      ["stable", CANARY].flatMap((track) => [
        [consumeBucket("0.01", track), grows(1)],
        [consumeBucket("0.1", track), grows(2)],
      ]),
    ),
  },
  {
    name: "flushes of the canary wait for locks",
    alerts: ["LimiterLockWait"],
    change: { [lockBucket("0.01", CANARY)]: grows(50) },
  },
  {
    name: "the canary of auth limits more",
    alerts: ["AuthLimited"],
    change: { [authCalls("resource_exhausted", CANARY)]: grows(3) },
  },
  {
    name: "the canary of auth is unavailable",
    alerts: ["AuthUnavailable"],
    change: { [authCalls("unavailable", CANARY)]: grows(1) },
  },
  {
    name: "the canary of auth has bugs",
    alerts: ["AuthErrors"],
    change: { [authCalls("internal", CANARY)]: grows(1) },
  },
  {
    name: "both tracks of auth have the same share of refused logins",
    alerts: [],
    change: {
      [authCalls("unauthenticated", CANARY)]: grows(30),
      [authCalls("unauthenticated", "stable")]: grows(150),
    },
  },
  {
    name: "upgrades at the canary are limited",
    alerts: ["UpgradesClientErrors", "UpgradesRefused"],
    change: { [upgrade("limited", CANARY)]: grows(10), [rejected("429", CANARY)]: grows(10) },
  },
  {
    name: "upgrades at the canary are not understood",
    alerts: ["UpgradesClientErrors"],
    change: { [rejected("400", CANARY)]: grows(10) },
  },
  {
    name: "upgrades at the canary get no decision",
    alerts: ["UpgradesServerErrors"],
    change: { [rejected("503", CANARY)]: grows(0.5) },
  },
  {
    name: "connections of the canary break",
    alerts: ["AbnormalCloses"],
    change: { [closed("1006", CANARY)]: grows(6) },
  },
  {
    name: "connections of the canary do not last",
    alerts: ["ReconnectsHigh"],
    change: {
      [ofProcess("portcullis_realtime_connections", "gateway", CANARY)]: stays(100),
    },
  },
  {
    name: "an event loop is late",
    alerts: ["EventLoopDelayed"],
    change: { [ofProcess("nodejs_eventloop_delay_p99", "auth", CANARY)]: stays(0.3) },
  },
  {
    name: "a heap grows",
    alerts: ["HeapHigh"],
    change: { [ofProcess("v8js_memory_heap_used", "auth", "stable")]: stays(1.6e9) },
  },
  {
    name: "descriptors of the gateway leak",
    alerts: ["FileDescriptorsHigh"],
    change: {
      [ofProcess("process_open_file_descriptors", "gateway", "stable")]: stays(3_000),
    },
  },
  {
    name: "descriptors of auth leak",
    alerts: ["FileDescriptorsHigh"],
    change: { [ofProcess("process_open_file_descriptors", "auth", "stable")]: stays(6_000) },
  },
  {
    name: "replicas run under different configurations",
    alerts: ["ConfigDiffers"],
    change: {
      'portcullis_config_info{app="auth",track="canary",instance="auth-2",service="auth",hops="1",hash="b"}':
        stays(1),
    },
  },
];
