import { expect, test } from "vitest";
import { readNginxTree } from "../lint/nginx/tree.ts";
import { writeNginx } from "./nginx-text.ts";

test("writeNginx() writes what readNginxTree() reads as the same", () => {
  const text = `http {
    map $uri $x { default ""; "~^/a{2}\\.b\\d+$" 'it''s'; "~\\"quoted\\"" \\\\w; }
    log_format line "a\\tb";
    server { listen 80; location ~* \\.(php|js)$ { return 404; } if ($x = "") { return 403; } }
  }`.replace("'it''s'", '"it\'s; so"');
  const read = (source: string) =>
    withoutLines(readNginxTree("f", source, () => NOTHING).directives);
  const once = read(text);
  expect(read(writeNginx(readNginxTree("f", text, () => NOTHING).directives))).toEqual(once);
});

const NOTHING = { files: [], unread: [] };

type Read = ReturnType<typeof readNginxTree>["directives"];
type Plain = { name: string; args: readonly string[]; block: Plain[] | undefined };

function withoutLines(directives: Read): Plain[] {
  return directives.map(({ name, args, block }) => {
    return { name, args, block: block && withoutLines(block) };
  });
}
