const EARLIEST = Date.parse('0001-01-01T00:00:00Z')
const LATEST = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * Unix milliseconds of a time of RFC 3339; undefined for one that does not exist, and for one that an offset takes out of the
 * years 1 to 9999, for which PostgreSQL and JavaScript have different texts.
 */
export function instantIn(text: string): number | undefined {
  const at = Date.parse(text)
  return at >= EARLIEST && at <= LATEST ? at : undefined
}
