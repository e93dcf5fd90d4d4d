import { type DescMessage, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { ServiceUrls } from "../../fixtures/services.ts";
import { exchange, type WireAnswer } from "./http-exchange.ts";
import { normalise } from "./normalise.ts";

/** A request of the journey; by default a POST of a JSON client. */
export type Step = {
  door: keyof ServiceUrls;
  path: string;
  method?: string;
  token?: string | undefined;
  /** The client's address, which the trusted proxy sends. */
  from?: string;
  headers?: Readonly<Record<string, string>>;
  /** Sent as it is if a string or bytes, else as JSON. */
  body?: unknown;
  /** The message type of a binary answer. */
  answers?: DescMessage;
};

export type Recorder = {
  /** Sends a request, records it with its answer, and returns the answer's JSON body. */
  send(title: string, step: Step): Promise<unknown>;
  /** Records lines of another protocol than HTTP. */
  write(title: string, lines: readonly string[]): void;
  text(): string;
};

/** Headers that depend on the HTTP library, on the time or on replaced values. */
const UNRECORDED_HEADERS = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "transfer-encoding",
  "uwebsockets",
]);
/** Longer requests are sent to be refused: only their size matters. */
const RECORDED_CHARACTERS_MAX = 600;
const RECORDED_HEADERS_MAX = 20;

export function createRecorder(urls: ServiceUrls): Recorder {
  const scenes: string[] = [];
  const write = (title: string, lines: readonly string[]) => {
    scenes.push([`### ${title}`, ...lines.map(normalise), ""].join("\n"));
  };
  return {
    write,
    text: () => scenes.join("\n"),
    async send(title, step) {
      const { door, path, method = "POST", token, from = "203.0.113.1", answers } = step;
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const contentType = method === "POST" ? { "content-type": "application/json" } : {};
      const headers = { ...contentType, ...authorization, ...step.headers };
      const body = bodyOf(step.body);
      const answer = await exchange({
        url: `${urls[door]}${path}`,
        method,
        headers: { "x-forwarded-for": from, ...headers },
        body,
      });
      write(title, [
        `> ${method} ${door} ${path}`,
        ...linesOf(Object.entries(headers), ">"),
        ...(body.length === 0 ? [] : [`> ${shown(body)}`]),
        `< ${answer.status}`,
        ...linesOf(answer.headers, "<"),
        ...(answer.body.length === 0 ? [] : [`< ${answerText(answer, answers)}`]),
      ]);
      return readJson(answer.body);
    },
  };
}

/** Returns a string member of a decoded JSON answer; throws if there is none. */
export function textAt(answer: unknown, name: string): string {
  const value = Object.entries(Object(answer)).find(([key]) => key === name)?.[1];
  if (typeof value === "string") return value;
  throw new Error(`no text ${name} in ${JSON.stringify(answer)}`);
}

function bodyOf(body: unknown): string | Uint8Array {
  if (body === undefined) return "";
  return typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
}

function linesOf(headers: readonly (readonly [string, string])[], mark: string): string[] {
  const recorded = headers.filter(([name]) => !UNRECORDED_HEADERS.has(name));
  if (recorded.length > RECORDED_HEADERS_MAX) return [`${mark} (${recorded.length} headers)`];
  return recorded.map(([name, value]) => `${mark} ${name}: ${value}`);
}

function shown(body: string | Uint8Array): string {
  const text = typeof body === "string" ? body : `hex ${Buffer.from(body).toString("hex")}`;
  return text.length > RECORDED_CHARACTERS_MAX ? `(${text.length} characters)` : text;
}

/** Describes a binary message as JSON, and whether its bytes equal our own encoding. */
function answerText({ body, headers }: WireAnswer, answers: DescMessage | undefined): string {
  const type = headers.find(([name]) => name === "content-type")?.[1] ?? "";
  if (!type.startsWith("application/proto") || answers === undefined) return body.toString("utf8");
  const message = fromBinary(answers, body);
  const isSame = body.equals(toBinary(answers, message));
  const json = toJsonString(answers, message, { alwaysEmitImplicit: true });
  return `${isSame ? "canonical" : "other"} bytes of ${answers.typeName} ${json}`;
}

function readJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
