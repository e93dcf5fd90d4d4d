// Subscribes to a public datasource and prints every frame that the gateway sends.
import { WebSocket } from "ws";

const gateway = process.env.GATEWAY_URL ?? "http://127.0.0.1:8001";
const socket = new WebSocket(`${gateway}/gateway/realtime`, "portcullis.realtime.v1.json");
socket.on("open", () => socket.send(JSON.stringify({ id: 1, subscribe: { datasource: "demo" } })));
socket.on("message", (frame) => console.log(String(frame)));
socket.on("error", ({ message, errors }) => {
  console.error(`cannot watch ${gateway}: ${message || errors?.map(String).join(", ")}`);
  process.exitCode = 1;
});
// A reader such as `head` has seen enough.
process.stdout.on("error", () => process.exit());
