/** A pattern with more alternatives than this is sampled in part. */
const SAMPLES_MAX = 16;

type Reading = { source: string; at: number };

/**
 * The shortest texts that a pattern can match, one for each of its alternatives. A pattern that
 * does not begin at the start of a path gets one. What is not understood has no samples, and a
 * sample may still not match: the caller asks the pattern.
 */
export function samplesOf(pattern: string): string[] {
  const source = pattern.replace(/^\(\?i\)/, "").replaceAll("(?P<", "(?<");
  const reading = { source, at: 0 };
  const samples = readAlternatives(reading);
  if (samples === undefined || reading.at < source.length) return [];
  return [...new Set(samples.map((sample) => (sample.startsWith("/") ? sample : `/${sample}`)))];
}

function readAlternatives(reading: Reading): string[] | undefined {
  const samples: string[] = [];
  for (;;) {
    const sequence = readSequence(reading);
    if (sequence === undefined) return undefined;
    samples.push(...sequence);
    if (reading.source[reading.at] !== "|") return samples.slice(0, SAMPLES_MAX);
    reading.at += 1;
  }
}

function readSequence(reading: Reading): string[] | undefined {
  let samples = [""];
  for (;;) {
    const character = reading.source[reading.at];
    if (character === undefined || character === "|" || character === ")") return samples;
    const atom = readAtom(reading);
    if (atom === undefined) return undefined;
    const choices = repeat(atom, reading);
    samples = samples.flatMap((before) => choices.map((choice) => `${before}${choice}`));
    samples = samples.slice(0, SAMPLES_MAX);
  }
}

/** What can be absent is absent; what must be there several times is. */
function repeat(atom: readonly string[], reading: Reading): readonly string[] {
  const [quantifier = "", least] = /^(?:[*+?]|\{(\d+),?\d*\})\??/.exec(rest(reading)) ?? [];
  reading.at += quantifier.length;
  if (/^[*?]/.test(quantifier)) return [""];
  return least === undefined ? atom : atom.map((one) => one.repeat(Number(least)));
}

function readAtom(reading: Reading): readonly string[] | undefined {
  const text = rest(reading);
  const [character = ""] = text;
  if (character === "(") return readGroup(reading);
  const [token = ""] =
    /^(?:\[\^?(?:\\.|\[:\w+:\]|[^\]\\])+\]|\\.|[^\\[\](){}*+?])/s.exec(text) ?? [];
  reading.at += token.length;
  if (token === "") return undefined;
  if (token === "^" || token === "$" || /^\\[bAzZ]$/.test(token)) return [""];
  if (token === ".") return ["x"];
  if (/^\\[A-Za-z0-9]$/.test(token)) return find(token);
  if (token.startsWith("\\")) return [token.slice(1)];
  return token.length > 1 ? find(token.replace(/\[:(\w+):\]/g, "a-zA-Z0-9")) : [token];
}

function readGroup(reading: Reading): string[] | undefined {
  const [head = ""] = /^\((?:\?(?::|<[A-Za-z_]\w*>))?/.exec(rest(reading)) ?? [];
  reading.at += head.length;
  const samples = readAlternatives(reading);
  if (reading.source[reading.at] !== ")") return undefined;
  reading.at += 1;
  return samples;
}

/** One character of a class. */
function find(characterClass: string): string[] | undefined {
  try {
    const regex = new RegExp(`^${characterClass}$`);
    const found = [..."xX0a_-./ "].find((one) => regex.test(one)) ?? firstOf(regex);
    return found === undefined ? undefined : [found];
  } catch {
    return undefined;
  }
}

function firstOf(regex: RegExp): string | undefined {
  const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));
  return printable.find((one) => regex.test(one));
}

function rest({ source, at }: Reading): string {
  return source.slice(at);
}
