/** The Grafana units in use. */
export type Unit =
  | "short"
  | "percentunit"
  | "s"
  | "dtdurations"
  | "reqps"
  | "ops"
  | "bytes"
  | "none";

/** The colour of a number from a value on; the first one colours everything below. */
export type Color = "green" | "yellow" | "orange" | "red" | "blue";
export type Thresholds = readonly [Color, ...ReadonlyArray<readonly [from: number, color: Color]>];

type PanelOf<Kind> = {
  title: string;
  /** What a healthy system shows here, and what a deviation means. */
  description: string;
  kind: Kind;
  unit: Unit;
  /** Queries, by the names of their series. */
  queries: ReadonlyArray<{ expr: string; legend: string }>;
  /** The anchor of the runbook section that says what to do. */
  runbook?: string;
};

/** One question of an operator, and the queries that answer it. */
export type Panel =
  | PanelOf<"timeseries">
  /** The title of a table's column of numbers. */
  | (PanelOf<"table"> & { number: string })
  /**
   * A number that shows at a glance whether all is well: from which value it is bad, and which
   * words replace values.
   */
  | (PanelOf<"stat"> & { thresholds: Thresholds; words?: Readonly<Record<number, string>> });

export type Dashboard = {
  uid: string;
  title: string;
  description: string;
  rows: ReadonlyArray<{ title: string; panels: readonly Panel[] }>;
};

/** The address of the runbook: a constant of each dashboard, set once for all. */
const RUNBOOK_URL = "https://runbooks.example.com/portcullis/RUNBOOK.md";
const TAG = "portcullis";
/** Grafana's grid is 24 wide. */
const GRID_WIDTH = 24;
const PANEL_HEIGHT = 8;
const STAT_HEIGHT = 4;
const PANELS_IN_ROW_MAX = 3;
const SCHEMA_VERSION = 39;
const DATASOURCE = { type: "prometheus", uid: "$datasource" };

/** Renders a dashboard as the JSON that Grafana reads. */
export function renderDashboard({ uid, title, description, rows }: Dashboard): object {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: GRID_WIDTH, h: 1 },
      panels: [],
    });
    y += 1;
    const columns = Math.min(PANELS_IN_ROW_MAX, row.panels.length);
    const w = GRID_WIDTH / columns;
    const isFlat = row.panels.every(({ kind }) => kind === "stat");
    const h = isFlat ? STAT_HEIGHT : PANEL_HEIGHT;
    for (const [index, panel] of row.panels.entries()) {
      const x = (index % columns) * w;
      const top = y + Math.floor(index / columns) * h;
      panels.push(renderPanel(panel, { id: panels.length + 1, gridPos: { x, y: top, w, h } }));
    }
    y += Math.ceil(row.panels.length / columns) * h;
  }
  return {
    uid,
    title,
    description,
    tags: [TAG],
    links: LINKS,
    editable: false,
    schemaVersion: SCHEMA_VERSION,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "utc",
    templating: {
      list: [
        { name: "datasource", label: "Data source", type: "datasource", query: "prometheus" },
        { name: "runbook", label: "Runbook", type: "constant", query: RUNBOOK_URL, hide: 2 },
      ],
    },
    annotations: { list: ANNOTATIONS.map((each) => ({ ...each, datasource: DATASOURCE })) },
    panels,
  };
}

/** Links each dashboard to all others, in the same time range, and to the runbook. */
const LINKS = [
  { type: "dashboards", title: "Portcullis", tags: [TAG], includeVars: true, keepTime: true },
  { type: "link", title: "Runbook", icon: "doc", url: "$runbook", targetBlank: true },
];

/** Annotations in every graph: an alert, another configuration, another release. */
const ANNOTATIONS = [
  {
    name: "Alerts",
    enable: true,
    iconColor: "red",
    expr: 'ALERTS{alertstate="firing", alertname!="Watchdog"}',
    titleFormat: "{{alertname}}",
  },
  {
    name: "Configuration changes",
    enable: true,
    iconColor: "blue",
    expr: "portcullis_config_info unless portcullis_config_info offset 1m",
    titleFormat: "{{service}}: hops {{hops}}, configuration {{hash}}",
  },
  {
    name: "Releases",
    enable: true,
    iconColor: "green",
    expr: "portcullis_build_info unless portcullis_build_info offset 1m",
    titleFormat: "{{service}}: {{version}} {{revision}}",
  },
];

function renderPanel(panel: Panel, place: { id: number; gridPos: object }): object {
  const { title, description, kind, unit, queries } = panel;
  const isInstant = kind !== "timeseries";
  return {
    ...place,
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    links: linksOf(panel),
    fieldConfig: { defaults: { unit, min: 0, ...looksOf(panel) }, overrides: [] },
    options: optionsOf(kind),
    ...(panel.kind === "table" ? { transformations: [nameNumber(panel.number)] } : {}),
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
      instant: isInstant,
      range: !isInstant,
      format: kind === "table" ? "table" : "time_series",
    })),
  };
}

function linksOf({ runbook }: Panel): object[] {
  if (runbook === undefined) return [];
  return [{ title: "What to do", url: `$runbook#${runbook}`, targetBlank: true }];
}

function looksOf(panel: Panel): object {
  if (panel.kind !== "stat") return {};
  const [base, ...steps] = panel.thresholds;
  const words = Object.entries(panel.words ?? {});
  return {
    noValue: "no data",
    color: { mode: "thresholds" },
    thresholds: {
      mode: "absolute",
      steps: [{ color: base, value: null }, ...steps.map(([value, color]) => ({ color, value }))],
    },
    mappings: words.map(([value, text], index) => ({
      type: "value",
      options: { [value]: { text, index } },
    })),
  };
}

function nameNumber(name: string): object {
  const options = { excludeByName: { Time: true }, renameByName: { Value: name } };
  return { id: "organize", options };
}

function optionsOf(kind: Panel["kind"]): object {
  switch (kind) {
    case "timeseries":
      return {
        legend: { displayMode: "table", placement: "bottom", calcs: ["lastNotNull", "max"] },
        tooltip: { mode: "multi", sort: "desc" },
      };
    case "stat":
      return {
        reduceOptions: { calcs: ["lastNotNull"], values: false },
        colorMode: "background",
        graphMode: "none",
        textMode: "value_and_name",
      };
    case "table":
      return { showHeader: true, cellHeight: "sm" };
  }
}
