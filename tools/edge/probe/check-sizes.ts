import { BODY_KIB_MAX, FORWARDED_HEAD_BYTES_MAX } from "../edge-policy.ts";
import type { HeaderLine } from "../spoof.ts";
import { callHttp } from "./call-http.ts";
import { callHttp2 } from "./call-http2.ts";
import { type Check, doubtful, failed, passed } from "./check.ts";

const PATH = "/portcullis.auth.v1.AuthService/Login";
/** No service reads this type, so nothing is charged for the request. */
const TYPE: HeaderLine = ["Content-Type", "text/plain"];
const LINE_BYTES = 1_024;

type Size = {
  name: string;
  headers: readonly HeaderLine[];
  body: string;
  refusals: readonly number[];
};

/** What an edge must turn away, and with which answers. */
const TOO_LARGE: readonly Size[] = [
  {
    name: `a body of ${BODY_KIB_MAX + 1} KiB`,
    headers: [TYPE],
    body: "x".repeat((BODY_KIB_MAX + 1) * 1_024),
    refusals: [413],
  },
  {
    name: `a head of ${FORWARDED_HEAD_BYTES_MAX / 1_024 + 4} KiB`,
    headers: [TYPE, ...fillers(FORWARDED_HEAD_BYTES_MAX / LINE_BYTES + 4)],
    body: "x",
    refusals: [400, 431],
  },
];

function fillers(count: number): HeaderLine[] {
  return Array.from({ length: count }, (_, index) => [`X-Filler-${index}`, "x".repeat(LINE_BYTES)]);
}

/** Heads and bodies that no service takes end at the edge, over both versions of HTTP. */
export async function checkSizes(edgeUrl: string, protocol: "HTTP/1.1" | "HTTP/2"): Promise<Check> {
  const subject = {
    id: protocol === "HTTP/2" ? "sizes.http2" : "sizes.http1",
    title: `Heads and bodies over ${protocol}`,
    why: "what the edge lets through, every service behind it must hold and refuse",
  };
  const send = protocol === "HTTP/2" ? callHttp2 : callHttp;
  const call = { url: new URL(PATH, edgeUrl), method: "POST" as const };
  const small = await send({ ...call, headers: [TYPE], body: "x" });
  if (small.kind === "none") {
    return doubtful(subject, small.problem, `see that the edge speaks ${protocol}`);
  }
  const wrong: string[] = [];
  for (const { name, headers, body, refusals } of TOO_LARGE) {
    const answer = await send({ ...call, headers, body });
    // An edge may close the connection while the rest is being sent.
    if (answer.kind === "none" || refusals.includes(answer.status)) continue;
    wrong.push(`${name} was answered with ${answer.status}`);
  }
  if (wrong.length === 0) return passed(subject, "what is too large is refused by the edge");
  return failed(
    subject,
    wrong.join("; "),
    "limit heads and bodies at the edge, as rendered files do",
  );
}
