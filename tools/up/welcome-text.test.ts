import { expect, test } from "vitest";
import { SERVICE_PORTS } from "./up-config.ts";
import { welcomeText } from "./welcome-text.ts";

const DATABASE = {
  url: "postgres://app:hidden-1@127.0.0.1:5432/portcullis?password=hidden-2",
  isOurs: false,
};

test("welcomeText() names every port, and a line to publish at the publishers' door", () => {
  const text = welcomeText(SERVICE_PORTS, DATABASE, {
    publisherToken: "development-publisher-token",
  });
  for (const port of Object.values(SERVICE_PORTS)) {
    if (port !== SERVICE_PORTS.LIMITER_METRICS_PORT) expect(text).toContain(`:${port}`);
  }
  expect(text).toContain(":8002/portcullis.realtime.v1.PublishService/Publish");
  expect(text).toContain("Bearer development-publisher-token");
});

test("welcomeText() shows a URL of our own Postgres that works as it is", () => {
  const url = "postgres://postgres:random@127.0.0.1:5433/postgres";
  const shown = { publisherToken: "" };
  expect(welcomeText(SERVICE_PORTS, { url, isOurs: true }, shown)).toContain(url);
});

test("welcomeText() shows no password and no token of the operator's own", () => {
  const text = welcomeText(SERVICE_PORTS, DATABASE, { publisherToken: "hidden-3" });
  expect(text).not.toContain("hidden");
  expect(text).toContain("Bearer $PUBLISHER_SERVICE_TOKEN");
  expect(text).toContain("postgres://app@127.0.0.1:5432/portcullis");
});
