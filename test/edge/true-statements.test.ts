import { describe, expect, test } from "vitest";
import { derive } from "../../services/runtime/client-ip.ts";
import { lintFile } from "../../tools/edge/lint/lint-file.ts";
import { canRun } from "./can-run.ts";
import { startFromText } from "./start-from-text.ts";

const ANNOUNCED = "203.0.113.9";
const ANNOUNCEMENT = `PROXY TCP4 ${ANNOUNCED} 127.0.0.1 4000 80\r\n`;
/** The address that every client of a proxy would share. */
const PROXY = "127.0.0.1";
const CLEARED = ["Forwarded", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"];

// What the linter says of a configuration is what the proxy does with it, and so is what it advises.
describe.runIf(canRun("nginx"))("lint of nginx", () => {
  const site = (listen: string, value: string, more = "") =>
    `server {
    listen 127.0.0.1:PORT${listen};
    listen [::1]:PORT${listen};
    ${more}
    location = /.well-known/jwks.json {
        proxy_set_header X-Forwarded-For ${value};
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        ${CLEARED.map((name) => `proxy_set_header ${name} "";`).join(" ")}
        proxy_pass http://portcullis;
    }
}
upstream portcullis { server 127.0.0.1:RECORDER; }
`;
  const resolved = "set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;";

  test("has nothing against an address that a balancer announces, and it arrives", async () => {
    for (const value of ["$proxy_protocol_addr", "$remote_addr"]) {
      const text = site(" proxy_protocol", value, resolved);
      expect(rulesOf("nginx", text)).toEqual([]);
      const { forwarded } = await startFromText("nginx", text);
      expect(await forwarded({ before: ANNOUNCEMENT })).toEqual([ANNOUNCED]);
    }
  });

  test("says that clients are one where the announced address is not used, and mends it", async () => {
    const text = site(" proxy_protocol", "$remote_addr");
    expect(rulesOf("nginx", text)).toEqual(["proxy-protocol"]);
    const bad = await startFromText("nginx", text);
    expect(await bad.forwarded({ before: ANNOUNCEMENT })).toEqual([PROXY]);
    const [mend = ""] = mendsOf("nginx", text);
    const mended = mend.replace("<the balancer's addresses>", "127.0.0.0/8");
    const good = await startFromText("nginx", site(" proxy_protocol", "$remote_addr", mended));
    expect(await good.forwarded({ before: ANNOUNCEMENT })).toEqual([ANNOUNCED]);
  });

  test("says that an announced address is empty where nobody announces one", async () => {
    const text = site("", "$proxy_protocol_addr");
    expect(rulesOf("nginx", text)).toEqual(["missing-forwarded-for"]);
    const { forwarded } = await startFromText("nginx", text);
    expect(await forwarded({ headerLines: ["X-Forwarded-For: 6.6.6.6"] })).toEqual([]);
  });

  test("says what becomes of a port behind an address, for IPv4 and for IPv6", async () => {
    const text = site("", "$remote_addr:$remote_port");
    expect(rulesOf("nginx", text)).toEqual(["ambiguous-port"]);
    const { forwarded } = await startFromText("nginx", text);
    expect(derived(await forwarded({}))).toEqual({ ip: "127.0.0.1", isDoubtful: false });
    expect(derived(["2001:db8::7:51234"]).isDoubtful).toBe(true);
    expect(await forwarded({ host: "::1" })).toEqual([expect.stringMatching(/^::1:\d+$/)]);

    const bracketed = site("", "[$remote_addr]:$remote_port");
    expect(rulesOf("nginx", bracketed)).toEqual(["ambiguous-port"]);
    const other = await startFromText("nginx", bracketed);
    expect(derived(await other.forwarded({})).isDoubtful).toBe(true);
    expect(derived(await other.forwarded({ host: "::1" }))).toEqual({
      ip: "::1",
      isDoubtful: false,
    });
  });

  test("advises no scheme that makes redirects without end behind a balancer that ends TLS", async () => {
    const text = site("", "$remote_addr").replace("$scheme", "$http_x_forwarded_proto");
    const [mend] = mendsOf("nginx", text);
    expect(mend).toContain("https; where a balancer in front of it ends TLS");
    const constant = site("", "$remote_addr").replace("$scheme", "https");
    expect(rulesOf("nginx", constant)).toEqual([]);
    const { forwarded } = await startFromText("nginx", constant);
    const headerLines = ["X-Forwarded-Proto: http"];
    expect(await forwarded({ header: "x-forwarded-proto", headerLines })).toEqual(["https"]);
  });
});

describe.runIf(canRun("haproxy"))("lint of HAProxy", () => {
  const head = `defaults
    mode http
    timeout connect 5s
    timeout client 90s
    timeout server 90s
`;
  const rules = `    http-request deny deny_status 404 unless { path /.well-known/jwks.json }
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto http
${CLEARED.map((name) => `    http-request del-header ${name}`).join("\n")}
    default_backend portcullis
backend portcullis
    server one 127.0.0.1:RECORDER
`;
  const public_ = (identity: string) => `${head}frontend public
    bind 127.0.0.1:PORT
    bind [::1]:PORT
    acl from_cdn src 192.0.2.0/24
${identity}${rules}`;
  const overwrite = "    http-request set-header X-Forwarded-For %[src]\n";
  const guarded =
    "    http-request set-header X-Forwarded-For %[req.hdr(CF-Connecting-IP)] if from_cdn\n";
  const lie = { headerLines: ["X-Forwarded-For: 6.6.6.6", "CF-Connecting-IP: 6.6.6.6"] };

  test("has nothing against the PROXY protocol to a frontend of its own, and it works", async () => {
    const text = `${head}listen door
    mode tcp
    bind 127.0.0.1:PORT
    server inside 127.0.0.1:INNER send-proxy-v2
frontend public
    bind 127.0.0.1:INNER accept-proxy
${overwrite}${rules}`;
    expect(rulesOf("haproxy", text)).toEqual([]);
    const { forwarded } = await startFromText("haproxy", text);
    expect(await forwarded(lie)).toEqual(["127.0.0.1"]);
    const silent = text.replace(" send-proxy-v2", "").replace(" accept-proxy", "");
    expect(rulesOf("haproxy", silent)).toEqual(["tcp-mode"]);
  });

  test("advises who may announce an address, and everybody else keeps their own", async () => {
    const door = public_(overwrite).replace("bind 127.0.0.1:PORT", "bind :PORT accept-proxy");
    expect(rulesOf("haproxy", door)).toEqual(["proxy-protocol"]);
    const [mend = ""] = mendsOf("haproxy", door);
    const [rule = ""] = mend.split(", without");
    const expected = rule.replace("<the balancer's addresses>", "127.0.0.0/8");
    const text = public_(`    ${expected}\n${overwrite}`);
    expect(rulesOf("haproxy", text)).toEqual([]);
    const { forwarded } = await startFromText("haproxy", text);
    expect(await forwarded({ before: ANNOUNCEMENT })).toEqual([ANNOUNCED]);
    expect(await forwarded({ host: "::1", ...lie })).toEqual(["::1"]);
  });

  test("never advises to take a condition away from a line that believes a header", async () => {
    const text = public_(overwrite + guarded);
    expect(rulesOf("haproxy", text, "cdn")).toEqual([]);
    const [mend] = mendsOf("haproxy", text);
    expect(mend).toMatch(/^remove the whole line; never its condition alone/);
    const mended = await startFromText("haproxy", public_(overwrite));
    expect(await mended.forwarded(lie)).toEqual(["127.0.0.1"]);
    const harmful = await startFromText(
      "haproxy",
      public_(overwrite + guarded.replace(" if from_cdn", "")),
    );
    expect(await harmful.forwarded(lie)).toEqual(["6.6.6.6"]);
  });

  test("mends a lone line with a condition by one in front of it", async () => {
    const text = public_(guarded);
    const [rule] = rulesOf("haproxy", text, "cdn");
    expect(rule).toBe("conditional-forwarded-for");
    const [mend] = mendsOf("haproxy", text, "cdn");
    expect(mend).toContain("in front of this line, which keeps its condition");
    const bad = await startFromText("haproxy", text);
    expect(await bad.forwarded(lie)).toEqual(["6.6.6.6"]);
    const good = public_(overwrite + guarded);
    expect(rulesOf("haproxy", good, "cdn")).toEqual([]);
    const { forwarded } = await startFromText("haproxy", good);
    expect(await forwarded(lie)).toEqual(["127.0.0.1"]);
  });

  test("says what becomes of a port behind an address, for IPv4 and for IPv6", async () => {
    for (const value of ["%[src]:%[src_port]", "%ci:%cp"]) {
      const text = public_(`    http-request set-header X-Forwarded-For ${value}\n`);
      expect(rulesOf("haproxy", text)).toEqual(["ambiguous-port"]);
      const { forwarded } = await startFromText("haproxy", text);
      expect(derived(await forwarded(lie))).toEqual({ ip: "127.0.0.1", isDoubtful: false });
      expect(await forwarded({ host: "::1" })).toEqual([expect.stringMatching(/^::1:\d+$/)]);
    }
    const bracketed = public_("    http-request set-header X-Forwarded-For [%[src]]:%[src_port]\n");
    expect(rulesOf("haproxy", bracketed)).toEqual(["ambiguous-port"]);
    const { forwarded } = await startFromText("haproxy", bracketed);
    expect(derived(await forwarded(lie)).isDoubtful).toBe(true);
    expect(derived(await forwarded({ host: "::1" })).ip).toBe("::1");
  });
});

function lint(kind: "nginx" | "haproxy", text: string, topology: "direct" | "cdn") {
  return lintFile("edge.conf", text.replaceAll("RECORDER", "4001"), kind, topology).findings;
}

function rulesOf(kind: "nginx" | "haproxy", text: string, topology: "direct" | "cdn" = "direct") {
  return lint(kind, text, topology).map(({ rule }) => rule);
}

function mendsOf(kind: "nginx" | "haproxy", text: string, topology: "direct" | "cdn" = "direct") {
  return lint(kind, text, topology).map(({ mend }) => mend);
}

/** Whom a service with one hop takes the client for. */
function derived(lines: readonly string[]) {
  const { ip, warning } = derive("10.0.0.1", lines, 1);
  return { ip, isDoubtful: warning !== undefined };
}
