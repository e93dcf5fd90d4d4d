import { escapeHtml } from "./evidence-fields.ts";
import type { RolloutSummary } from "./evidence-rollouts.ts";

const WIDTH = 900;
const LABEL_WIDTH = 80;
const LANE_HEIGHT = 30;
const BAR_HEIGHT = 16;
const AXIS_HEIGHT = 26;
/** What takes no time on this scale is still to be seen. */
const BAR_WIDTH_MIN = 4;
const MARK_RADIUS = 5;
const TICKS = 4;
const LANES = ["proxy", "api", "gateway", "canary", "rollback"];

/** When what happened, as a picture that needs nothing but this page. */
export function renderTimeline({ spans, marks, from, to }: RolloutSummary): string {
  const [beginMs, endMs] = [Date.parse(from), Date.parse(to)];
  const isDated = Number.isFinite(beginMs) && Number.isFinite(endMs);
  if (spans.length === 0 || !isDated) return "";
  const lengthMs = Math.max(1, endMs - beginMs);
  const room = WIDTH - LABEL_WIDTH - MARK_RADIUS;
  const xOf = (at: string) => round(LABEL_WIDTH + ((Date.parse(at) - beginMs) / lengthMs) * room);
  const used = LANES.filter((lane) => [...spans, ...marks].some((each) => each.lane === lane));
  const yOf = (lane: string) => used.indexOf(lane) * LANE_HEIGHT + LANE_HEIGHT / 2;
  const bottom = used.length * LANE_HEIGHT;
  const lanes = used.map(
    (lane) =>
      `<text x="0" y="${yOf(lane) + 4}">${lane}</text><line x1="${LABEL_WIDTH}" x2="${WIDTH}" y1="${yOf(lane)}" y2="${yOf(lane)}"/>`,
  );
  const bars = spans
    .filter(({ lane }) => used.includes(lane))
    .map((span) => {
      const x = xOf(span.from);
      const width = Math.max(BAR_WIDTH_MIN, round(xOf(span.to) - x));
      const title = escapeHtml(`${span.text}, ${span.from} to ${span.to}`);
      return `<rect class="${span.verdict}" x="${x}" y="${yOf(span.lane) - BAR_HEIGHT / 2}" width="${width}" height="${BAR_HEIGHT}" rx="3"><title>${title}</title></rect>`;
    });
  const dots = marks
    .filter(({ lane }) => used.includes(lane))
    .map(({ lane, at, verdict, text }) => {
      const title = escapeHtml(`${text}: ${verdict}, ${at}`);
      return `<circle class="${verdict}" cx="${xOf(at)}" cy="${yOf(lane)}" r="${MARK_RADIUS}"><title>${title}</title></circle>`;
    });
  const ticks = Array.from({ length: TICKS + 1 }, (_, index) => {
    const at = new Date(beginMs + (lengthMs * index) / TICKS).toISOString();
    const anchor = index === 0 ? "start" : index === TICKS ? "end" : "middle";
    const x = index === TICKS ? WIDTH : xOf(at);
    return `<line x1="${xOf(at)}" x2="${xOf(at)}" y1="0" y2="${bottom}"/><text text-anchor="${anchor}" x="${x}" y="${bottom + 18}">${timeText(at, lengthMs)}</text>`;
  });
  const title = `Timeline from ${escapeHtml(from)} to ${escapeHtml(to)}`;
  return `<svg class="timeline" role="img" aria-label="${title}" viewBox="0 0 ${WIDTH} ${bottom + AXIS_HEIGHT}">
${[...ticks, ...lanes, ...bars, ...dots].join("\n")}
</svg>
<p class="legend"><span class="pass">■</span> confirmed <span class="fail">■</span> taken back <span class="inconclusive">■</span> not decided · ● what was looked at, by its verdict · times in UTC</p>`;
}

const DAY_MS = 86_400_000;

/** As much of an instant as tells the ticks apart. */
function timeText(at: string, lengthMs: number): string {
  return lengthMs > DAY_MS ? at.slice(5, 16).replace("T", " ") : at.slice(11, 19);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
