const NAME = /^[a-z0-9][a-z0-9._-]{0,127}$/;

/** 1 to 128 characters of `a-z 0-9 . _ -`, starting with a letter or digit. */
export function isDatasourceName(text: string): boolean {
  return NAME.test(text);
}
