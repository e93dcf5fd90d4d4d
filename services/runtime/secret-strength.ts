/** 32 characters hold 128 bits even in hexadecimal. */
const CHARACTERS_MIN = 32;
/** Fewer different characters than this is a pattern, not randomness. */
const DISTINCT_CHARACTERS_MIN = 8;
/**
 * Characters that must remain without repetitions. Random texts of 32 characters lose a few to
 * chance repetitions; of a million, none lost 14.
 */
const UNREPEATED_CHARACTERS_MIN = 18;
/**
 * Characters that must remain without sequences and rows of keys too. With digits and capitals
 * among them, that many are still more than anyone can guess.
 */
const UNPREDICTABLE_CHARACTERS_MIN = 13;
/** Shorter ones are ignored. Ones of this length occur by chance, but rarely many in one text. */
const REPETITION_CHARACTERS_MIN = 3;
const SEQUENCE_CHARACTERS_MIN = 4;
/** Words of at least six letters, which random texts do not contain by chance. */
const WELL_KNOWN =
  /development|production|change-?(me|it)|password|example|secret|default|portcullis|12345678|letmein|welcome|administrator|iloveyou|placeholder|correcthorse|replace-?me|insecure/i;
/** Digits and letters in order, repeated so that a sequence may wrap around. */
const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz01234567890abcdef";
/** Rows of neighbouring keys and common sequences, each in both directions. */
const ROWS = [
  "qwertyuiop",
  "asdfghjkl",
  "zxcvbnm",
  "qwertzuiop",
  "yxcvbnm",
  "azertyuiop",
  "qsdfghjklm",
  "wxcvbn",
  "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
  "qazwsxedcrfvtgbyhnujmikolp",
  "!@#$%^&*()_+",
  "acegikmoqsuwybdfhjlnprtvxz",
  "0246813579",
  ALPHABET,
].flatMap((row) => [row, [...row].reverse().join("")]);

/** What makes a secret easy to guess; undefined if it looks random. */
export function findWeakness(secret: string): string | undefined {
  if (WELL_KNOWN.test(secret)) return "is a well-known value; use a random one";
  if (secret.length < CHARACTERS_MIN) {
    return `is too short: at least ${CHARACTERS_MIN} random characters`;
  }
  const text = secret.toLowerCase();
  if (new Set(text).size < DISTINCT_CHARACTERS_MIN) {
    return "is not random: it has too few different characters";
  }
  const repeated = countCovered(text, repetitionsOf(text));
  if (text.length - repeated < UNREPEATED_CHARACTERS_MIN) {
    return "is not random: it repeats itself";
  }
  const covered = countCovered(text, [...repetitionsOf(text), ...sequencesOf(text)]);
  if (text.length - covered < UNPREDICTABLE_CHARACTERS_MIN) {
    return "is not random: it follows a sequence or a row of keys";
  }
  return undefined;
}

/** A part of a text that earlier characters, a sequence or a row of keys predict. */
type Part = { start: number; end: number };

function countCovered(text: string, parts: readonly Part[]): number {
  const isCovered = new Array<boolean>(text.length).fill(false);
  for (const { start, end } of parts) isCovered.fill(true, start, end);
  return isCovered.filter((covered) => covered).length;
}

/** The parts of a text that repeat earlier text, repeated single characters included. */
function repetitionsOf(text: string): Part[] {
  const parts: Part[] = [];
  for (let start = 1; start < text.length; start++) {
    let length = REPETITION_CHARACTERS_MIN - 1;
    // The earlier text may overlap the repetition, as in `abcabcabc`.
    while (start + length < text.length) {
      const piece = text.slice(start, start + length + 1);
      if (!text.slice(0, start + length).includes(piece)) break;
      length++;
    }
    if (length >= REPETITION_CHARACTERS_MIN) parts.push({ start, end: start + length });
  }
  return parts;
}

/** The parts that follow a sequence, in every character or every second one, or a row of keys. */
function sequencesOf(text: string): Part[] {
  const parts: Part[] = [];
  for (let start = 0; start + SEQUENCE_CHARACTERS_MIN <= text.length; start++) {
    const piece = text.slice(start, start + SEQUENCE_CHARACTERS_MIN);
    if (ROWS.some((row) => row.includes(piece))) {
      parts.push({ start, end: start + SEQUENCE_CHARACTERS_MIN });
    }
    // `a1b2c3d4` and `aabbccdd`: the characters at even and at odd places each follow a sequence.
    const every = [0, 1].map((offset) => everySecond(text.slice(start + offset)));
    if (every.every((half) => half !== "" && ALPHABET.includes(half))) {
      parts.push({ start, end: start + 2 * SEQUENCE_CHARACTERS_MIN });
    }
  }
  return parts;
}

/** Every second character, as many as make a sequence; empty if the text is too short. */
function everySecond(text: string): string {
  const characters = [0, 2, 4, 6].map((index) => text[index] ?? "");
  return characters.includes("") ? "" : characters.join("");
}
