import { isPublicPath } from "../lint/lint-policy.ts";
import type { Fault } from "./finding.ts";
import { INJECTED_HEADER } from "./private-requests.ts";
import { type RecordedRequest, valuesOf } from "./recorder.ts";

/** What is wrong with a request that no service should have seen. */
export function judgeExposure(recorded: RecordedRequest): Fault[] {
  const { requestLine } = recorded;
  const saw = requestLine === "" ? "a request in another protocol than HTTP" : requestLine;
  const injected = valuesOf(recorded, INJECTED_HEADER);
  return [
    ...(injected.length === 0
      ? []
      : [
          {
            rule: "decoded-uri" as const,
            saw: `${INJECTED_HEADER}: ${injected.join()}`,
            message: "an encoded line break in the path became a header",
            mend: "forward the path as the client sent it",
          },
        ]),
    ...(isForBrowsers(requestLine)
      ? []
      : [
          {
            rule: "internal-route-exposed" as const,
            saw,
            message: "what is not for browsers can be reached through this proxy",
            mend: "forward only the public routes, each by its own path, and answer 404 to all others",
          },
        ]),
  ];
}

/**
 * Services compare paths as they are written, and other proxies may normalise them first: a path is
 * for browsers when it is in either reading.
 */
function isForBrowsers(requestLine: string): boolean {
  const target = requestLine.split(" ")[1] ?? "";
  const path = target.replace(/^[a-z]+:\/\/[^/]*/, "").replace(/[?#].*$/, "");
  return isPublicPath(path) || isPublicPath(normalise(path));
}

function normalise(path: string): string {
  const decoded = path.replace(/%([0-9a-f]{2})/gi, (_, code: string) => {
    return String.fromCharCode(Number.parseInt(code, 16));
  });
  const kept: string[] = [];
  for (const segment of decoded.replaceAll("\\", "/").split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "." && segment !== "") kept.push(segment);
  }
  return `/${kept.join("/")}`;
}
