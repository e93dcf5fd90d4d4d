import type { PlantedTrap } from "./planted-traps.ts";

export const CADDY_TRAPS: readonly PlantedTrap[] = [
  {
    name: "the client's header passed on",
    replace: "			header_up X-Forwarded-For {remote_host}\n",
    by: "			header_up X-Forwarded-For {header.X-Forwarded-For}\n",
    rule: "passed-through-forwarded-for",
    at: "{header.X-Forwarded-For}",
  },
  {
    name: "a line added",
    replace: "			header_up X-Forwarded-For {remote_host}\n",
    by: "			header_up +X-Forwarded-For {remote_host}\n",
    rule: "appended-forwarded-for",
    at: "+X-Forwarded-For",
  },
  {
    name: "everybody trusted as CDN",
    replace: "			header_up X-Forwarded-For {remote_host}\n",
    by: "			trusted_proxies 0.0.0.0/0\n",
    rule: "trusts-everyone",
    at: "trusted_proxies",
  },
  {
    name: "every path forwarded",
    replace: "	handle @api {\n",
    by: "	handle {\n",
    rule: "internal-route-exposed",
    at: "reverse_proxy",
  },
];
