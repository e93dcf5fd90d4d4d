/** The outcome of each request on each path; printed as a table and checked for disagreement. */
export type IdentityMatrix = {
  add: (path: string, request: string, outcome: Outcome) => void;
  /** Requests whose outcome on this path was wrong, in words. */
  failures: (path: string) => readonly string[];
  format: () => string;
};

export type Outcome =
  /** The services behind derive the client that the rule says. */
  | { kind: "agreed" }
  /** Refused before any service saw it, as it is known to be here. */
  | { kind: "refused"; status: number }
  /** Read otherwise than by the rule, exactly as it is known to be here. */
  | { kind: "differs" }
  | { kind: "wrong"; text: string };

const SIGNS = { agreed: "+", refused: "r", differs: "d", wrong: "X" } as const;

export function createIdentityMatrix(): IdentityMatrix {
  const cells = new Map<string, Map<string, Outcome>>();
  const requests = new Set<string>();
  const rowOf = (path: string) => {
    const row = cells.get(path) ?? new Map<string, Outcome>();
    cells.set(path, row);
    return row;
  };
  return {
    add: (path, request, outcome) => {
      requests.add(request);
      rowOf(path).set(request, outcome);
    },
    failures: (path) => {
      const wrong = [...rowOf(path)].flatMap(([request, outcome]) => {
        return outcome.kind === "wrong" ? [`${request}: ${outcome.text}`] : [];
      });
      return rowOf(path).size === 0 ? ["nothing was sent"] : wrong;
    },
    format: () => formatTable(cells, [...requests]),
  };
}

/** Paths are columns, numbered and named below; requests are rows. */
function formatTable(
  cells: Map<string, Map<string, Outcome>>,
  requests: readonly string[],
): string {
  const paths = [...cells.keys()];
  const width = Math.max(0, ...requests.map((request) => request.length));
  const rows = requests.map((request) => {
    const signs = paths.map((path) => {
      const outcome = cells.get(path)?.get(request);
      return outcome === undefined ? "." : SIGNS[outcome.kind];
    });
    return `${request.padEnd(width)}  ${signs.join("")}`;
  });
  const legend = paths.map((path, index) => {
    const outcomes = [...(cells.get(path)?.values() ?? [])];
    const count = (kind: Outcome["kind"]) => outcomes.filter((one) => one.kind === kind).length;
    const kinds = ["agreed", "refused", "differs", "wrong"] as const;
    const counts = kinds.filter((kind) => count(kind) > 0).map((kind) => `${count(kind)} ${kind}`);
    return `column ${String(index + 1).padStart(3)}: ${path} (${counts.join(", ")})`;
  });
  return [
    "requests × paths: + agreed with the rule, r refused before any service, X wrong, . not sent,",
    "d read by a proxy's or a parser's own rules, in the one way that the tests expect",
    ...rows,
    ...legend,
  ].join("\n");
}
