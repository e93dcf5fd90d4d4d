import { type EdgeConfig, TOPOLOGIES, type Topology } from "./edge-config.ts";
import { renderCaddy } from "./render-caddy.ts";
import { renderEnvoy } from "./render-envoy.ts";
import { renderHaproxy } from "./render-haproxy.ts";
import { renderNginx } from "./render-nginx.ts";
import { sealRendered } from "./rendered-seal.ts";

/** The proxies that can be an edge. */
export type Proxy = "nginx" | "haproxy" | "caddy" | "envoy";

export const PROXIES: readonly Proxy[] = ["nginx", "haproxy", "caddy", "envoy"];

/** One file of a configuration, under its path below the output directory. */
export type RenderedFile = { path: string; text: string };

const EXTENSIONS: Record<Proxy, string> = {
  nginx: "conf",
  haproxy: "cfg",
  caddy: "Caddyfile",
  envoy: "yaml",
};

/** Renders the complete configuration of one proxy; its last line holds the hash of all others. */
export function renderProxy(proxy: Proxy, config: EdgeConfig): RenderedFile {
  const renderers = {
    nginx: () => renderNginx(config),
    haproxy: () => renderHaproxy(config),
    caddy: () => renderCaddy(config),
    envoy: () => renderEnvoy(config),
  };
  const path = `${proxy}/${config.preset}.${EXTENSIONS[proxy]}`;
  return { path, text: sealRendered(renderers[proxy]()) };
}

/** Renders everything that `deploy/` holds: each proxy in each topology. */
export function renderAll(config: EdgeConfig): readonly RenderedFile[] {
  return PROXIES.flatMap((proxy) => {
    return TOPOLOGIES.map((topology: Topology) => {
      return renderProxy(proxy, { ...config, topology, preset: topology });
    });
  });
}
