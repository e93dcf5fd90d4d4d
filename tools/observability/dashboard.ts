/** Units of Grafana that we use. */
export type Unit = "short" | "percentunit" | "s" | "reqps" | "ops" | "bytes" | "none";

/** One question that an operator has, and the queries that answer it. */
export type Panel = {
  title: string;
  /** What a healthy system shows here, and what it means when this does not. */
  description: string;
  kind: "timeseries" | "stat" | "table";
  unit: Unit;
  /** Queries by how their series are named. */
  queries: ReadonlyArray<{ expr: string; legend: string }>;
};

export type Dashboard = {
  uid: string;
  title: string;
  description: string;
  rows: ReadonlyArray<{ title: string; panels: readonly Panel[] }>;
};

/** Grafana's grid is 24 wide. */
const GRID_WIDTH = 24;
const PANEL_HEIGHT = 8;
const STAT_HEIGHT = 4;
const PANELS_IN_ROW_MAX = 3;
const SCHEMA_VERSION = 39;
const DATASOURCE = { type: "prometheus", uid: "$datasource" };

/** Writes a dashboard as Grafana reads it. */
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
    tags: ["portcullis"],
    editable: false,
    schemaVersion: SCHEMA_VERSION,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "utc",
    templating: {
      list: [{ name: "datasource", label: "Data source", type: "datasource", query: "prometheus" }],
    },
    annotations: {
      list: [
        {
          name: "Alerts",
          datasource: DATASOURCE,
          enable: true,
          iconColor: "red",
          expr: 'ALERTS{alertstate="firing", alertname!="Watchdog"}',
          titleFormat: "{{alertname}}",
        },
      ],
    },
    panels,
  };
}

function renderPanel(panel: Panel, place: { id: number; gridPos: object }): object {
  const { title, description, kind, unit, queries } = panel;
  const isInstant = kind !== "timeseries";
  return {
    ...place,
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: optionsOf(kind),
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

function optionsOf(kind: Panel["kind"]): object {
  switch (kind) {
    case "timeseries":
      return {
        legend: { displayMode: "table", placement: "bottom", calcs: ["lastNotNull", "max"] },
        tooltip: { mode: "multi", sort: "desc" },
      };
    case "stat":
      return { reduceOptions: { calcs: ["lastNotNull"], values: false }, colorMode: "value" };
    case "table":
      return { showHeader: true };
  }
}
