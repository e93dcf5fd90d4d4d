declare module "proxy-addr" {
  /** The address that `trust` leads to: entries from the socket leftwards, while it says yes. */
  function proxyaddr(
    request: { headers: Record<string, string | undefined>; socket: { remoteAddress: string } },
    trust: (address: string, index: number) => boolean,
  ): string;
  export = proxyaddr;
}
