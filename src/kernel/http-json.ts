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
  refuseDoubtful(text)
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

/**
 * One pass over a text that is known to be valid JSON, so brackets match and a string has an end.
 * Costs 12 µs on a webhook of 3.5 KB, of which JSON.parse takes 5 more.
 */
function refuseDoubtful(text: string): void {
  const keys: (Set<string> | undefined)[] = []
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      const end = endOfString(text, at)
      if (isKey(text, end)) remember(keys.at(-1), text.slice(at, end))
      at = end - 1
    } else if (code === openBrace || code === openBracket) {
      keys.push(code === openBrace ? new Set() : undefined)
      if (keys.length > depthMax) throw malformed(`The request body nests deeper than ${depthMax} levels`)
    } else if (code === closeBrace || code === closeBracket) {
      keys.pop()
    }
  }
}

const [quote, backslash, colon, openBrace, closeBrace, openBracket, closeBracket] = [34, 92, 58, 123, 125, 91, 93]

/** A quote ends the string unless an odd run of backslashes stands before it. Linear, whatever the body. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text.charCodeAt(before) === backslash) before -= 1
    if ((end - before) % 2 === 1) return end + 1
  }
}

/** In valid JSON only a key is followed by a colon; white space is all that is at most a space. */
function isKey(text: string, at: number): boolean {
  let next = at
  while (text.charCodeAt(next) <= 32) next += 1
  return text.charCodeAt(next) === colon
}

function remember(keys: Set<string> | undefined, quoted: string): void {
  const key = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1)
  if (key === '__proto__') throw malformed('The request body has a field named __proto__')
  if (keys?.has(key)) throw malformed('The request body names a field twice in one object')
  keys?.add(key)
}

function malformed(detail: string): Refusal {
  return new Refusal('body_malformed', { detail })
}
