/**
 * The text with card numbers and e-mail addresses masked. The last line of defence, over whole log
 * lines: it also finds what a library put into a message. A line of JSON stays valid.
 */
export function maskPersonal(line: string): string {
  const text = mayHoldAddress.test(line) ? line.replace(emailAddress, '[email]') : line
  return text.replace(digitRun, maskCard)
}

/** Spares nearly every line the dear expression. */
const mayHoldAddress = /@|%40|\\u0040/

/** Also with the @ escaped, as in addresses and JSON. Bounded parts, so that a long line takes linear time. */
const emailAddress = /[\p{L}\p{N}._%+-]{1,64}(?:@|%40|\\u0040)[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63})+/giu

/** 13 to 19 digits, in groups or not, that are not part of a longer word. */
const digitRun = /(?<![\p{L}\p{N}])[0-9](?:[ -]?[0-9]){12,18}(?![\p{L}\p{N}])/gu

function maskCard(run: string, at: number, line: string): string {
  if (!passesLuhn(run.replace(/[^0-9]/g, ''))) return run
  // Where it may be a bare JSON number only another number keeps the line valid.
  return ':,[-.'.includes(line[at - 1] ?? ' ') ? '0' : '[card]'
}

function passesLuhn(digits: string): boolean {
  let sum = 0
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index])
    const doubled = digit * 2
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** Fields that hold what people wrote or what opens doors. */
export const unsaid: ReadonlySet<string> = new Set([
  ...['headers', 'body', 'rawBody', 'payload', 'data', 'values', 'parameters'],
  ...['authorization', 'cookie', 'password', 'secret', 'apiKey', 'webhookSecrets', 'databaseUrl', 'url'],
])

/** Deeper than anything we log; past it values are left to `maskPersonal`. */
const depthMax = 4

/** The fields of a log line without those that are never said, wherever in it they stand. */
export function withoutUnsaid(fields: Record<string, unknown>, depth = depthMax): Record<string, unknown> {
  const said: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    said[name] = unsaid.has(name) ? '[unsaid]' : depth > 0 && isPlain(value) ? withoutUnsaid(value, depth - 1) : value
  }
  return said
}

/** Errors and the like have serializers of their own. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
