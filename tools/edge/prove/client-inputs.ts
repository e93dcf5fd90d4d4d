/** What a file reads of a request beside the headers that every edge knows. */
export type ClientInputs = {
  headers: readonly string[];
  /** Names of query or body parameters. */
  parameters: readonly string[];
};

/** More names than this say nothing new. */
const INPUTS_MAX = 12;

/** How the proxies name a header of the request: nginx, HAProxy, Caddy and its JSON. */
const HEADERS = [
  /\$\{?http_([a-z0-9_]+)/gi,
  /\b(?:req\.)?f?hdr(?:_ip|_val|_cnt|_beg|_sub|_end|_reg|_len)?\(\s*([A-Za-z0-9-]+)/g,
  /\{(?:http\.request\.)?header\.([A-Za-z0-9-]+)\}/g,
  /"header(?:_regexp)?":\s*\{\s*"([A-Za-z0-9-]+)"/g,
];

const PARAMETERS = [
  /\$\{?arg_([a-z0-9_]+)/gi,
  /\b(?:urlp|url_param|body_param|req\.body_param)(?:_val|_reg)?\(\s*([A-Za-z0-9_-]+)/g,
  /\{(?:http\.request\.uri\.)?query\.([A-Za-z0-9_-]+)\}/g,
  // A pattern that cuts a parameter out of the request line: "ip=([0-9.]+)".
  /\b([A-Za-z_]\w*)=\(?\[/g,
];

/** Headers without which no request is one, or that the proof sets itself. */
const OWN_HEADERS = [
  "host",
  "connection",
  "upgrade",
  "content-length",
  "transfer-encoding",
  "cookie",
];

/** Finds the names of headers and parameters in a configuration. */
export function findClientInputs(text: string): ClientInputs {
  const headers = find(HEADERS, text)
    .map((name) => name.replaceAll("_", "-").toLowerCase())
    .filter((name) => !OWN_HEADERS.includes(name) && !name.startsWith("sec-websocket"));
  return {
    headers: [...new Set(headers)].slice(0, INPUTS_MAX),
    parameters: [...new Set(find(PARAMETERS, text))].slice(0, INPUTS_MAX),
  };
}

function find(patterns: readonly RegExp[], text: string): string[] {
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name = ""]) => name));
}
