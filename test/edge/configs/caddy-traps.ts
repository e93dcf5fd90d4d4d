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

const FORWARDED = "	header_up X-Forwarded-For {remote_host}\n";
const CLOSED = "	respond @closed 404\n";
const AUTH = "	reverse_proxy 10.0.0.1:4001 {\n";
const MAP = `	map {http.request.header.X-Forwarded-For} {named} {
		\`~(?P<ip>[0-9.]+)\` "\${ip}"
	}
`;

/** Traps in what an operator writes. */
export const CADDY_HAND_WRITTEN_TRAPS: readonly PlantedTrap[] = [
  {
    name: "an address from the query",
    replace: FORWARDED,
    by: "	header_up X-Forwarded-For {query.ip}\n",
    rule: "passed-through-forwarded-for",
    at: "{query.ip}",
  },
  {
    name: "an address from another header, behind a good one",
    replace: FORWARDED,
    by: `${FORWARDED}	header_up X-Forwarded-For {http.request.header.X-Foo}\n`,
    rule: "passed-through-forwarded-for",
    at: "X-Foo",
  },
  {
    name: "a variable filled from a header",
    replace: FORWARDED,
    by: "	header_up X-Forwarded-For {vars.client}\n",
    and: { replace: CLOSED, by: `	vars client {header.X-Foo}\n${CLOSED}` },
    rule: "passed-through-forwarded-for",
    at: "{vars.client}",
  },
  {
    name: "a variable that a client chooses to have filled",
    replace: FORWARDED,
    by: "	header_up X-Forwarded-For {vars.client}\n",
    and: {
      replace: CLOSED,
      by: `	@debug header X-Debug *
	vars client {remote_host}
	vars @debug client {header.X-Debug}
${CLOSED}`,
    },
    rule: "passed-through-forwarded-for",
    at: "{vars.client}",
  },
  {
    name: "a value of the client's put in by a pattern",
    replace: FORWARDED,
    by: '	header_up X-Forwarded-For "^.*$" {header.X-Foo}\n',
    rule: "passed-through-forwarded-for",
    at: "^.*$",
  },
  {
    name: "a constant for everybody",
    replace: FORWARDED,
    by: "	header_up X-Forwarded-For 10.0.0.1\n",
    rule: "missing-forwarded-for",
    at: "10.0.0.1",
  },
  {
    name: "deleted behind the line that sets it, which Caddy does last",
    replace: FORWARDED,
    by: `	header_up -X-Forwarded-*\n${FORWARDED}`,
    rule: "missing-forwarded-for",
    at: "-X-Forwarded-*",
  },
  {
    name: "X-Real-IP from the client's own",
    replace: "	header_up X-Real-IP {remote_host}\n",
    by: "	header_up X-Real-IP {header.X-Real-IP}\n",
    rule: "identity-header-missing",
    at: "reverse_proxy @gateway",
  },
  {
    name: "the client's scheme",
    replace: "	header_up X-Forwarded-Proto {scheme}\n",
    by: "	header_up X-Forwarded-Proto {header.X-Forwarded-Proto}\n",
    rule: "identity-header-missing",
    at: "reverse_proxy @gateway",
  },
  {
    name: "Forwarded kept",
    replace: "	header_up -Forwarded\n",
    by: "",
    rule: "claim-header-kept",
    at: "reverse_proxy @gateway",
  },
  {
    name: "Forwarded deleted for some requests",
    replace: "	header_up -Forwarded\n",
    by: "",
    and: {
      replace: CLOSED,
      by: `	@debug header X-Debug *\n	request_header @debug -Forwarded\n${CLOSED}`,
    },
    rule: "claim-header-kept",
    at: "reverse_proxy @gateway",
  },
  {
    name: "internal endpoints handled",
    replace: CLOSED,
    by: `	handle /internal/* {
		reverse_proxy 10.0.0.1:4001 {
			import identity
		}
	}
${CLOSED}`,
    rule: "internal-route-exposed",
    at: "reverse_proxy 10.0.0.1:4001",
  },
  {
    name: "a prefix of more than is meant",
    replace: "/portcullis.auth.v1.AuthService/*",
    by: "/portcullis*",
    rule: "internal-route-exposed",
    at: "reverse_proxy 10.0.0.1:4001",
  },
  {
    name: "a matcher of every path",
    replace: "	@gateway path /gateway/realtime /gateway/realtime/why\n",
    by: "	@gateway path *\n",
    and: { replace: CLOSED, by: "" },
    rule: "internal-route-exposed",
    at: "reverse_proxy @gateway",
  },
  {
    name: "a matcher of every path but one",
    replace: "	@closed not path ",
    by: "	@closed path /foo\n	@unused not path ",
    rule: "internal-route-exposed",
    at: "reverse_proxy 10.0.0.1:4001",
  },
  {
    name: "closed for some requests alone",
    replace: "	@closed not path ",
    by: "	@unused not path ",
    and: {
      replace: CLOSED,
      by: `	@closed {
		not path /portcullis.auth.v1.AuthService/*
		not header X-Admin *
	}
${CLOSED}`,
    },
    rule: "internal-route-exposed",
    at: "reverse_proxy 10.0.0.1:4001",
  },
  {
    name: "a matcher that cannot be read here",
    replace: CLOSED,
    by: `	@odd \`{http.request.uri.path}.contains("x")\`
	handle @odd {
		reverse_proxy 10.0.0.9:4001 {
			import identity
		}
	}
${CLOSED}`,
    rule: "internal-route-exposed",
    at: "reverse_proxy 10.0.0.9:4001",
  },
  {
    name: "a map of the request line, in which a query can hold what it looks for",
    replace: "	@closed not path ",
    by: `	map {http.request.orig_uri} {kind} {
		~AuthService/ public
		default none
	}
	@closed vars {kind} none
	@unused not path `,
    rule: "internal-route-exposed",
    at: "reverse_proxy 10.0.0.1:4001",
  },
  {
    name: "closed behind what forwards it",
    replace: AUTH,
    by: `	handle {
		reverse_proxy 10.0.0.1:4001 {
			import identity
		}
	}
${AUTH}`,
    rule: "internal-route-exposed",
    at: "reverse_proxy 10.0.0.1:4001",
  },
  {
    name: "a prefix taken away",
    replace: AUTH,
    by: `	uri strip_prefix /portcullis.auth.v1.AuthService\n${AUTH}`,
    rule: "internal-route-exposed",
    at: "uri strip_prefix",
  },
  {
    name: "a prefix taken away by handle_path",
    replace: CLOSED,
    by: `	handle_path /api/* {
		reverse_proxy 10.0.0.1:4001 {
			import identity
		}
	}
${CLOSED}`,
    rule: "internal-route-exposed",
    at: "handle_path",
  },
  {
    name: "an internal prefix put in front",
    replace: AUTH,
    by: `	rewrite /.well-known/* /internal/gateway{uri}\n${AUTH}`,
    rule: "internal-route-exposed",
    at: "rewrite",
  },
  {
    name: "sites that are somewhere else",
    replace: "http://portcullis.example:8080 {\n",
    by: "import /nowhere-at-all/sites/one.caddy\n\nhttp://portcullis.example:8080 {\n",
    rule: "include-not-read",
    at: "import /nowhere-at-all",
  },
  {
    name: "a directive that the environment names",
    replace: CLOSED,
    by: `	{$MORE}\n${CLOSED}`,
    rule: "not-followed",
    at: "{$MORE}",
  },
  {
    name: "a CDN treated like everybody in topology cdn",
    topology: "cdn",
    replace: "	admin off\n",
    by: "	admin off\n	grace_period 3s\n",
    rule: "topology-mismatch",
    at: "header_up X-Forwarded-For",
  },
  {
    name: "a CDN believed in topology direct",
    topology: "direct",
    replace: FORWARDED,
    by: "	header_up X-Forwarded-For {vars.client}\n",
    and: {
      replace: CLOSED,
      by: `	@cdn remote_ip 198.51.100.0/24
	vars client {remote_host}
	vars @cdn client {header.CF-Connecting-IP}
${CLOSED}`,
    },
    rule: "topology-mismatch",
    at: "{vars.client}",
  },
  {
    name: "a list's first entry in topology cdn",
    topology: "cdn",
    replace: FORWARDED,
    by: "	header_up X-Forwarded-For {vars.client}\n",
    and: {
      replace: CLOSED,
      by: `	@cdn remote_ip 198.51.100.0/24
${MAP}	vars client {remote_host}
	vars @cdn client {named}
${CLOSED}`,
    },
    rule: "passed-through-forwarded-for",
    at: "{vars.client}",
  },
  {
    name: "everybody trusted as CDN, in two halves",
    topology: "cdn-append",
    replace: FORWARDED,
    by: "	trusted_proxies 0.0.0.0/1 128.0.0.0/1\n",
    rule: "trusts-everyone",
    at: "0.0.0.0/1",
  },
  {
    name: "the PROXY protocol at the door",
    replace: "	admin off\n",
    by: `	admin off
	servers {
		listener_wrappers {
			proxy_protocol
			tls
		}
	}
`,
    rule: "proxy-protocol",
    at: "listener_wrappers",
  },
  {
    name: "auth's port for operators",
    replace: "	reverse_proxy 10.0.0.1:4001 {\n",
    by: "	reverse_proxy 10.0.0.1:4001 {\n		to 10.0.0.1:4005\n",
    rule: "private-port",
    at: "10.0.0.1:4005",
  },
];
