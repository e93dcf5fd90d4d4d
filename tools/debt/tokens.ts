/** A token of TypeScript source. Strings, templates and regular expressions are all literals. */
export type Token = {
  kind: "word" | "mark" | "literal" | "comment";
  text: string;
  line: number;
};

/** Patterns in the order in which they are tried. */
const SPACE = /\s+/y;
const COMMENT = /(?<![\s\S])#![^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const WORD = /[\p{ID_Start}$_#][\p{ID_Continue}$]*/uy;
const NUMBER = /\d[\w.]*/y;
/** An apostrophe in JSX text ends at the end of its line. */
const STRING = /"(?:\\.|[^"\\\n])*["\n]|'(?:\\.|[^'\\\n])*['\n]/y;
const TEMPLATE_PART = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y;
const REGULAR_EXPRESSION = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y;
const MARK = /\?\.|[!=]==?|=>|\*\*|&&|\|\||\?\?|[\s\S]/y;

/** Keywords after which a slash starts a regular expression. */
const WORDS_BEFORE_EXPRESSION = new Set(
  "await case delete do else in instanceof new of return throw typeof void yield".split(" "),
);

/** Splits TypeScript into tokens, precisely enough for counting; never fails. */
export function readTokens(source: string): Token[] {
  const tokens: Token[] = [];
  /** For each open template, the number of open braces in its current expression. */
  const templates: number[] = [];
  let at = 0;
  let line = 1;
  let last: Token | undefined;

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text !== undefined) at += text.length;
    return text;
  };
  const add = (kind: Token["kind"], text: string) => {
    const token = { kind, text, line };
    tokens.push(token);
    line += text.split("\n").length - 1;
    if (kind !== "comment") last = token;
  };
  const takeTemplatePart = (opening: string) => {
    const part = take(TEMPLATE_PART) ?? source.slice(at);
    add("literal", opening + part);
    if (part.endsWith("${")) templates.push(0);
  };

  while (at < source.length) {
    const space = take(SPACE);
    if (space !== undefined) {
      line += space.split("\n").length - 1;
      continue;
    }
    const comment = take(COMMENT);
    if (comment !== undefined) {
      add("comment", comment);
      continue;
    }
    const word = take(WORD);
    if (word !== undefined) {
      add("word", word);
      continue;
    }
    const literal =
      take(NUMBER) ??
      take(STRING) ??
      (mayStartExpression(last) ? take(REGULAR_EXPRESSION) : undefined);
    if (literal !== undefined) {
      add("literal", literal);
      continue;
    }
    const mark = take(MARK) ?? "";
    const depth = templates.at(-1);
    if (mark === "`") takeTemplatePart(mark);
    else if (mark === "}" && depth === 0) {
      templates.pop();
      takeTemplatePart(mark);
    } else {
      if (depth !== undefined && mark === "{") templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && mark === "}") templates[templates.length - 1] = depth - 1;
      add("mark", mark);
    }
  }
  return tokens;
}

function mayStartExpression(last: Token | undefined): boolean {
  if (last === undefined) return true;
  if (last.kind === "literal") return false;
  if (last.kind === "word") return WORDS_BEFORE_EXPRESSION.has(last.text);
  return last.text !== ")" && last.text !== "]" && last.text !== "}";
}
