import { describe, expect, test } from "vitest";
import { findClientInputs } from "./client-inputs.ts";

describe("findClientInputs()", () => {
  const texts = [
    { text: "set $xff $http_x_foo_bar;", headers: ["x-foo-bar"], parameters: [] },
    { text: "proxy_pass http://$arg_host;", headers: [], parameters: ["host"] },
    { text: 'if ($request_uri ~ "ip=([0-9.]+)") {', headers: [], parameters: ["ip"] },
    {
      text: "set-src req.hdr(X-Foo) if { hdr_ip(X-Bar) -m found }",
      headers: ["x-foo", "x-bar"],
      parameters: [],
    },
    {
      text: "%[url_param(a)] %[req.body_param(b)] %[urlp(c)]",
      headers: [],
      parameters: ["a", "b", "c"],
    },
    {
      text: "{http.request.header.X-Foo} {http.request.uri.query.ip}",
      headers: ["x-foo"],
      parameters: ["ip"],
    },
    { text: "$http_host $http_upgrade $http_connection", headers: [], parameters: [] },
  ];
  for (const { text, headers, parameters } of texts) {
    test(`finds what is read of a request by ${text}`, () => {
      const found = findClientInputs(text);
      expect(found.headers.toSorted()).toEqual(headers.toSorted());
      expect(found.parameters.toSorted()).toEqual(parameters);
    });
  }
});
