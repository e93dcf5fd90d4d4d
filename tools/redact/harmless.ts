/** Whether the value of a variable may be shown. A variable that is not listed here is secret. */
export function isHarmless(name: string, value: string): boolean {
  if (WORDS.has(value.toLowerCase())) return true;
  return KNOWN.some(({ names, shape }) => names.test(name) && shape.test(value));
}

const ANY = /^/;
const NUMBER = /^\d{1,12}$/;
/** Our URLs have neither user information nor a query; both may hold secrets. */
const BARE_URL = /^(?:https?:\/\/)?[\w.:[\]-]+(?:\/[\w./-]*)?$/;
const PATH = /^(?:~|\.{0,2})\/?[\w./@+ -]*$/;

/**
 * Variables known to hold no secret, each with the pattern of its values. The system's come first,
 * then those of `.env.example`.
 */
const KNOWN: readonly { names: RegExp; shape: RegExp }[] = [
  {
    names:
      /^(?:PATH|MANPATH|LS_COLORS|LANG|LANGUAGE|LC_\w+|TZ|TERM|COLORTERM|COLUMNS|LINES|SHLVL|PS\d|_)$/,
    shape: ANY,
  },
  { names: /^(?:USER|LOGNAME|USERNAME|HOSTNAME|SUDO_(?:USER|UID|GID))$/, shape: /^[\w.@-]+$/ },
  {
    names:
      /^(?:HOME|PWD|OLDPWD|SHELL|TMPDIR|TMP|TEMP|INIT_CWD|NODE|NODE_PATH|NVM_\w+|VIRTUAL_ENV|EDITOR|PAGER|MAIL|XDG_\w+|SSH_AUTH_SOCK|SSH_TTY|LD_LIBRARY_PATH|NODE_EXTRA_CA_CERTS)$/,
    shape: /^[\w./:@+ -]*$/,
  },
  {
    names:
      /^(?:CI|NO_COLOR|FORCE_COLOR|COLOR|VITEST\w*|DEBIAN_FRONTEND|container|OSTYPE|HOSTTYPE|MACHTYPE)$/,
    shape: /^[\w.-]*$/,
  },
  {
    names:
      /^npm_(?:package_\w+|lifecycle_\w+|command|execpath|node_execpath|config_(?:cache|prefix|local_prefix|global_prefix|globalconfig|userconfig|user_agent|node_gyp|npm_version|init_module|noproxy))$/,
    shape: /^[^\s@?]*(?:\s[^@?]*)?$/,
  },
  { names: /^(?:no_proxy|NO_PROXY)$/, shape: /^[\w.,:*/-]*$/ },
  { names: /^(?:BIND_HOST|METRICS_HOST|KUBERNETES_\w*HOST)$/, shape: /^[\w.:-]+$/ },
  { names: /_PORTS?$|^PORT$/, shape: /^\d{1,5}$/ },
  {
    names: /_(?:MS|SECONDS|MINUTES|HOURS|DAYS|BYTES|KIB|MIB|MAX|MIN|HOPS|PREFIX|LIMIT|COUNT)$/,
    shape: NUMBER,
  },
  { names: /^(?:AUTH|LIMITER|GATEWAY|AUTH_ADMIN|GATEWAY_RPC)_URL$/, shape: BARE_URL },
  { names: /^SMOKE_(?:API|EDGE|LIMITER)_URL$/, shape: BARE_URL },
  { names: /^GATEWAY_ENGINE$/, shape: /^(?:auto|uws|ws)$/ },
  { names: /^ALLOWED_ORIGINS$/, shape: /^[\w.:/,\s[\]*+-]*$/ },
  { names: /^TRUSTED_PROXY_CIDRS$/, shape: /^[0-9A-Fa-f.:/,\s]*$/ },
  { names: /^(?:LIMITER_POLICIES_FILE|PORTCULLIS_DIR)$/, shape: PATH },
  { names: /^RELEASE_REVISION$/, shape: /^[\w.+-]{1,64}$/ },
  { names: /^\w+_FAIL_OPEN_CHANGE$/, shape: /^[\w.#-]{1,32}$/ },
  { names: /^\w+_FAIL_OPEN_UNTIL$/, shape: /^[\dTZ:.+-]{1,32}$/ },
  { names: /^(?:OTEL_SERVICE_NAME|OTEL_SDK_DISABLED|OTEL_\w+_EXPORTER)$/, shape: /^[\w.,-]*$/ },
];

/**
 * Words that settings and our own records consist of: a secret equal to one of them would be none.
 */
const WORDS: ReadonlySet<string> = new Set(
  `true false yes no on off none null undefined auto default always never enabled disabled
  production development test staging fail-open fail-closed postgres memory
  trace debug info warn warning error fatal silent
  auth limiter gateway proxy edge api canary baseline done identity preflight probe align verify
  pass fail inconclusive failed passed settled staging-done awaiting applying verifying rolling-back
  operator timer verification command checks stage stages rollback position direct cdn cdn-append
  localhost http https tcp node nginx haproxy caddy envoy demo demo-private`
    .split(/\s+/)
    .filter((word) => word !== ""),
);
