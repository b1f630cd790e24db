import { Refusal } from './errors.ts'

/** Ours nest four deep at most, Stripe's about ten. */
const depthMax = 32

/**
 * Parses a JSON body more strictly than JSON.parse: UTF-8 must be valid, no byte order mark, at most 32
 * levels, and no object may name a key twice or `__proto__`. Readers that differ on such a body would
 * see different requests under one signature or fingerprint.
 */
export function parseJson(body: Buffer): unknown {
  const text = decode(body)
  const value = parse(text)
  // Of a key that is named twice only one is left, so that the text has more keys than the value.
  if (membersOf(value, 1) !== keysIn(text)) throw malformed('The request body names a field twice in one object')
  return value
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(body: Buffer): string {
  try {
    return utf8.decode(body)
  } catch {
    throw malformed('The request body is not valid UTF-8')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the body.
    throw malformed('The request body is not valid JSON')
  }
}

/** How many members the objects in a value have, all together. Counting costs a third of remembering every object's keys. */
function membersOf(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth > depthMax) throw malformed(`The request body nests deeper than ${depthMax} levels`)
  if (Object.hasOwn(value, '__proto__')) throw malformed('The request body has a field named __proto__')
  const members: readonly unknown[] = Array.isArray(value) ? value : Object.values(value)
  let count = members === value ? 0 : members.length
  for (const member of members) count += membersOf(member, depth + 1)
  return count
}

/** How many keys a text names that is known to be valid JSON: outside of strings, only a key is followed by a colon. */
function keysIn(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) at = endOfString(text, at)
    else if (code === colon) count += 1
  }
  return count
}

const [quote, backslash, colon] = [34, 92, 58]

/** Where the quote stands that ends the string: before it is no odd run of backslashes. Linear, whatever the body. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text.charCodeAt(before) === backslash) before -= 1
    if ((end - before) % 2 === 1) return end
  }
}

function malformed(detail: string): Refusal {
  return new Refusal('body_malformed', { detail })
}
