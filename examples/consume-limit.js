// A service that consumes a limit: 200 within it, 429 over it, 503 when nobody could decide.
import { createServer } from "node:http";

const LIMITER = process.env.LIMITER_URL ?? "http://127.0.0.1:4002";
const CONSUME = `${LIMITER}/portcullis.limiter.v1.LimiterService/Consume`;
const authorization = "Bearer development-operator-token";
const headers = { authorization, "content-type": "application/json" };
const STATUS = { OUTCOME_ALLOWED: 200, OUTCOME_REJECTED: 429 };

async function statusFor(address) {
  const body = JSON.stringify({ buckets: [{ policy: "realtime.connect.ip", key: address }] });
  const signal = AbortSignal.timeout(500);
  const answer = await fetch(CONSUME, { method: "POST", headers, body, signal });
  const { decision } = await answer.json();
  return STATUS[decision.outcome] ?? 503;
}

createServer(async (request, response) => {
  response.statusCode = await statusFor(request.socket.remoteAddress).catch(() => 503);
  response.end(`${response.statusCode}\n`);
}).listen(process.env.PORT ?? 8080, "127.0.0.1");
