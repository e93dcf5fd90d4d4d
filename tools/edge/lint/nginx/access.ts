import { childrenNamed, findSetting, findSettings, type NginxScope } from "./places.ts";

/** Whether nobody of the public gets past the access rules in effect; the first that fits decides. */
export function isClosedToStrangers(scope: NginxScope): boolean {
  // With "satisfy any" a password opens what an address does not.
  if (findSetting(scope, "satisfy")?.args[0] === "any") return false;
  const decisive = findSettings(scope, ["allow", "deny"]).find(({ name, args }) => {
    const [who = ""] = args;
    return who === "all" || (name === "allow" && /\/0$/.test(who));
  });
  return decisive?.name === "deny";
}

/** Whatever a file can fail with: it is not there, not readable, or not to be written to. */
export const FILE_STATUS = "file";

/** Where a failed request is sent on to, be it a location's name or a path. */
export function findErrorTargets(scope: NginxScope, status: number | typeof FILE_STATUS): string[] {
  return findSettings(scope, ["error_page"]).flatMap(({ args }) => {
    const target = args.at(-1) ?? "";
    const codes = args.slice(0, -1).filter((word) => /^\d+$/.test(word));
    const applies = codes.some((code) => {
      return status === FILE_STATUS ? /^4|^500$/.test(code) : canBe(Number(code), status);
    });
    return applies && /^[@/]/.test(target) ? [target] : [];
  });
}

/** That a request is too large or too slow is told before anything else is looked at. */
function canBe(code: number, status: number): boolean {
  return code === status || EARLY.includes(code);
}

const EARLY = [400, 408, 413, 414, 494, 495, 496, 497];

/** Where try_files ends when no file is there: a location's name, a path or nothing. */
export function findTryTarget(scope: NginxScope): string | undefined {
  const target = childrenNamed(scope, "try_files").at(-1)?.args.at(-1);
  return target?.startsWith("=") === true ? undefined : target;
}
