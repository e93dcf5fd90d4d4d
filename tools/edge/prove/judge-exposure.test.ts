import { describe, expect, test } from "vitest";
import { judgeExposure } from "./judge-exposure.ts";

describe("judgeExposure()", () => {
  const targets = [
    { target: "/portcullis.auth.v1.AuthService/Login", isExposed: false },
    { target: "/gateway/realtime?x=/metrics", isExposed: false },
    // Services compare paths as they are written, and answer 404 to this.
    { target: "/portcullis.auth.v1.AuthService/../metrics", isExposed: false },
    { target: "/x/../gateway/realtime", isExposed: false },
    { target: "/metrics", isExposed: true },
    { target: "//metrics", isExposed: true },
    { target: "/%6detrics", isExposed: true },
    { target: "http://edge.example/metrics", isExposed: true },
  ];
  for (const { target, isExposed } of targets) {
    test(`${isExposed ? "finds" : "lets pass"} what arrives as ${target}`, () => {
      const rules = judgeExposure(recordedWith(`GET ${target} HTTP/1.1`)).map(({ rule }) => rule);
      expect(rules).toEqual(isExposed ? ["internal-route-exposed"] : []);
    });
  }

  test("finds a request in a protocol that no service of browsers speaks", () => {
    expect(judgeExposure(recordedWith(""))).toMatchObject([{ rule: "internal-route-exposed" }]);
  });

  test("finds a header that came out of an encoded line break", () => {
    const lines = [{ name: "X-Portcullis-Injected", value: "1" }];
    const recorded = { ...recordedWith("GET /gateway/realtime HTTP/1.1"), lines };
    expect(judgeExposure(recorded)).toMatchObject([{ rule: "decoded-uri" }]);
  });
});

function recordedWith(requestLine: string) {
  return { requestLine, lines: [], remote: "127.0.0.1" };
}
