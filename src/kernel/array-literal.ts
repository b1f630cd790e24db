export type ArrayItem = string | number | bigint | boolean | Buffer | null

export function isFlat(items: readonly unknown[]): items is readonly ArrayItem[] {
  return items.every((item) => item === null || typeof item !== 'object' || Buffer.isBuffer(item))
}

/**
 * An array as the driver is to send it, at a fraction of what the driver takes. Bytes, and texts that would have to be
 * escaped, which JSON always has to be, go in PostgreSQL's binary form of bytea[] and text[], where they stand as they
 * are; everything else as a literal, which fits any type.
 */
export function arrayParameter(items: readonly ArrayItem[]): string | Buffer {
  if (items.some(Buffer.isBuffer)) return binaryArray(BYTEA, items)
  return items.some(needsEscape) && items.every(isTextOrNull) ? binaryArray(TEXT, items) : arrayLiteral(items)
}

/** The array in PostgreSQL's text form. */
export function arrayLiteral(items: readonly ArrayItem[]): string {
  if (items.length === 0) return '{}'
  const isPlain = !(items.includes(null) || items.some(needsEscape))
  return isPlain ? `{"${items.join('","')}"}` : `{${items.map(itemText).join(',')}}`
}

function needsEscape(item: ArrayItem): boolean {
  return typeof item === 'string' && (item.includes('"') || item.includes('\\'))
}

function isTextOrNull(item: ArrayItem): item is string | null {
  return item === null || typeof item === 'string'
}

function itemText(item: ArrayItem): string {
  if (item === null) return 'NULL'
  if (Buffer.isBuffer(item)) return `"\\\\x${item.toString('hex')}"`
  return typeof item === 'string' ? `"${item.replace(/["\\]/g, '\\$&')}"` : String(item)
}

const BYTEA = 17
const TEXT = 25
const HEADER = 20
const NULL_LENGTH = -1

/** `array_recv` of PostgreSQL's arrayfuncs.c: dimensions, flags, type, length, lower bound; then each length and item. */
function binaryArray(type: number, items: readonly ArrayItem[]): Buffer {
  const lengths = items.map(lengthOf)
  const size = lengths.reduce((sum, length) => sum + 4 + Math.max(0, length), HEADER)
  const bytes = Buffer.allocUnsafe(size)
  bytes.writeInt32BE(1, 0)
  bytes.writeInt32BE(items.includes(null) ? 1 : 0, 4)
  bytes.writeInt32BE(type, 8)
  bytes.writeInt32BE(items.length, 12)
  bytes.writeInt32BE(1, 16)
  let at = HEADER
  items.forEach((item, index) => {
    at = bytes.writeInt32BE(lengths[index] ?? NULL_LENGTH, at)
    if (typeof item === 'string') at += bytes.write(item, at)
    else if (Buffer.isBuffer(item)) at += item.copy(bytes, at)
  })
  return bytes
}

function lengthOf(item: ArrayItem): number {
  if (typeof item === 'string') return Buffer.byteLength(item)
  return Buffer.isBuffer(item) ? item.length : NULL_LENGTH
}
