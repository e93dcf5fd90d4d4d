/** Yes, no, or depends on what the linter cannot know. */
export type Truth = "yes" | "no" | "maybe";

export function not(truth: Truth): Truth {
  return truth === "maybe" ? "maybe" : truth === "yes" ? "no" : "yes";
}

export function allOf(truths: readonly Truth[]): Truth {
  if (truths.includes("no")) return "no";
  return truths.includes("maybe") ? "maybe" : "yes";
}

export function anyOf(truths: readonly Truth[]): Truth {
  if (truths.includes("yes")) return "yes";
  return truths.includes("maybe") ? "maybe" : "no";
}

export function truthOf(isTrue: boolean): Truth {
  return isTrue ? "yes" : "no";
}
