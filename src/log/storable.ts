/**
 * Where in a value a string is that PostgreSQL cannot keep or that is no text at all: one with a NUL or half a
 * surrogate pair. Its JSON is looked at first, because almost every event passes; the value only when it does not.
 */
export function unstorablePath(json: string, value: unknown): string | undefined {
  // JSON.stringify escapes exactly these with four digits; \u00XX of other control characters is harmless.
  if (!json.includes('\\u0000') && !json.includes('\\ud')) return undefined
  return findPath(value, '')
}

function findPath(value: unknown, path: string): string | undefined {
  if (typeof value === 'string') return isStorable(value) ? undefined : path || '/'
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, part] of Object.entries(value)) {
    // The name of such a field cannot be shown either.
    const found = isStorable(name) ? findPath(part, `${path}/${name}`) : path || '/'
    if (found !== undefined) return found
  }
  return undefined
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}
