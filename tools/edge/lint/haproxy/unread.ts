import type { Finding } from "../finding.ts";
import { withoutCondition } from "./conditions.ts";
import type { HaproxyLine, HaproxySection } from "./sections.ts";

/** Actions whose effect on a request is followed, or that have none on headers, path or servers. */
const UNDERSTOOD =
  /^(allow|deny|reject|tarpit|return|redirect|auth|silent-drop|use-service|(set|add|del|replace)-header|replace-value|(un)?set-var(-fmt)?|set-src(-port)?|(set|replace)-(path|pathq|uri)|set-query|normalize-uri|capture|track-sc\d*|sc-\w[\w-]*|set-log-level|set-nice|set-mark|set-tos|set-[fb]c-(mark|tos)|set-priority-(class|offset)|(set|del)-map|(add|del)-acl|set-timeout|cache-use|wait-for-(body|handshake)|disable-l7-retry|early-hint|set-method|do-resolve|send-spoe-group|strict-mode|set-bandwidth-limit|set-retries|pause|do-log)$/;

/** Whether it is known what an action does to a request. */
export function isUnderstood(action: string): boolean {
  return UNDERSTOOD.test(action.split("(", 1)[0] ?? "");
}

/** Says what cannot be followed, since any trap may hide in it. */
export function lintUnread(sections: readonly HaproxySection[]): Finding[] {
  return sections
    .flatMap(({ lines }) => lines)
    .flatMap((line) => {
      const reason = findReason(line);
      if (reason === undefined) return [];
      const mend = "write it in a way that can be followed, or check by hand what it does";
      return [{ file: line.file, line: line.line, rule: "not-followed", message: reason, mend }];
    });
}

function findReason({ words }: HaproxyLine): string | undefined {
  const [first = "", second = ""] = withoutCondition(words);
  if (/^\.(if|elif|else)$/.test(first)) {
    return "which of these lines are in effect is decided when HAProxy starts, so all are taken to be";
  }
  if (/^(req|rsp)i?(rep|add|del|allow|deny|pass|tarpit|setbe)$/.test(first)) {
    return `${first} is of older versions of HAProxy, and changes headers and paths alike`;
  }
  if (first !== "http-request" || isUnderstood(second)) return undefined;
  const action = second.split("(", 1)[0] ?? "";
  return `what "${action}" does to a request cannot be told from here: it may change its headers, its path or its server`;
}
