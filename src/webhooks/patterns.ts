/** Most patterns an endpoint may have. */
export const PATTERNS_MAX = 50

/** `payment.captured` is one type, `payment.*` all that begin so, `*` all. */
export function matches(pattern: string, type: string): boolean {
  return pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern
}

/** The first pattern that fits no type there is: a misspelt one would wait for ever in silence. */
export function unknownPattern(patterns: readonly string[], types: readonly string[]): string | undefined {
  return patterns.find((pattern) => !types.some((type) => matches(pattern, type)))
}
