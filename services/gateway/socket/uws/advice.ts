/** What decides whether a native binary loads. */
export type Platform = {
  node: string;
  platform: string;
  arch: string;
  /** Only on Linux with glibc. */
  glibc?: string | undefined;
};

/** The glibc (2.x) of the newest binaries; Debian 13 and Ubuntu 24.04 have it. */
const NEWEST_GLIBC = 38;
/** The Node versions that have a binary in package.json. */
const NEWEST_NODES = [22, 24, 26];
const OLDER_NODES = [20, 22];

const OFFICIAL = `the official build from its Git tag (npm install --no-save \
"uWebSockets.js-20.69@github:uNetworking/uWebSockets.js#v20.69.0", for Node 22, 24 and 26)`;

/** Why no binary of uWebSockets.js loads on a platform, and what to do about it. */
export function adviseOnUws(at: Platform): string {
  const where = `${at.platform}-${at.arch}${at.glibc === undefined ? "" : ` with glibc ${at.glibc}`}`;
  const none = `no binary of uWebSockets.js loads on Node ${at.node}, ${where}`;
  return `${none}: ${wayOut(at)}, or GATEWAY_ENGINE=auto, which serves with ws here`;
}

function wayOut({ node, platform, arch, glibc }: Platform): string {
  const major = Number.parseInt(node, 10);
  const minor = Number(glibc?.split(".")[1] ?? 0);
  if (platform !== "linux") return `the registry has it for x86-64 Linux alone; take ${OFFICIAL}`;
  if (glibc === undefined) return "it needs glibc, which musl (Alpine) is not; take a glibc image";
  if (minor < NEWEST_GLIBC) {
    if (arch === "x64" && OLDER_NODES.includes(major)) return INSTALL;
    const newer = `a glibc of 2.${NEWEST_GLIBC} or newer (Debian 13)`;
    return arch === "x64" ? `take Node 20 or 22, or ${newer}` : `take ${newer} and ${OFFICIAL}`;
  }
  if (arch !== "x64") return `the registry has it for x86-64 alone; take ${OFFICIAL}`;
  return [...NEWEST_NODES, ...OLDER_NODES].includes(major) ? INSTALL : "take Node 20, 22, 24 or 26";
}

/** There is a binary for this platform, but it is not installed. */
const INSTALL = "install the optional dependencies (no --omit=optional)";
