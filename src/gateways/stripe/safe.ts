import { isObject, type JsonObject, textAt, valueAt } from './json.ts'
import { areKnownWords } from './words.ts'

/**
 * What may pass from a gateway's payload into the log in clear: ids and codes that have the shape of
 * ids and codes. Everything else stays in the sealed body.
 */
export type DigestId = (id: string) => string

const stripeId =
  /^(?:pi|ch|py|re|pyr|dp|du|po|txn|evt|tr|trr|in|sub|seti|cs|prv|issfr|fee|fr|tu|acct|req)_[A-Za-z0-9_]{1,200}$/

/** An id of Stripe's own making as it is; any other as its digest, so that it still correlates. */
export function safeId(id: string, digest: DigestId): string {
  return stripeId.test(id) && !holdsCardNumber(id) ? id : `h_${digest(id)}`
}

/** The id under `name`, whether Stripe sent the id or expanded the object. */
export function idAt(object: JsonObject, name: string, digest: DigestId): string | undefined {
  const value = valueAt(object, name)
  const id = isObject(value) ? textAt(value, 'id') : value
  return typeof id === 'string' && id !== '' ? safeId(id, digest) : undefined
}

/** A machine's word for a reason, as in `insufficient_funds`; undefined for anything that Stripe has no word for. */
export function codeAt(object: JsonObject, name: string): string | undefined {
  const code = textAt(object, name)
  return code !== undefined && /^[a-z0-9_]{1,64}$/.test(code) && areKnownWords(code) ? code : undefined
}

export function safeEventType(type: string): string {
  return /^[a-z0-9_.]{1,128}$/.test(type) && areKnownWords(type) ? type : 'unknown'
}

/** Whether 13 to 19 digits in a row, separators aside, could be a card number: no issuer's begins with 0. */
export function holdsCardNumber(text: string): boolean {
  const runs = text.replace(/[_.]/g, '').match(/\d{13,}/g) ?? []
  return runs.some((run) => {
    for (let start = 0; start + 13 <= run.length; start += 1) {
      if (run[start] !== '0' && hasLuhnPrefix(run.slice(start, start + 19))) return true
    }
    return false
  })
}

/** Whether the first 13, 14, … or 19 digits carry a right check digit. */
function hasLuhnPrefix(digits: string): boolean {
  for (let length = 13; length <= digits.length; length += 1)
    if (luhnSum(digits.slice(0, length)) % 10 === 0) return true
  return false
}

function luhnSum(digits: string): number {
  let sum = 0
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at])
    const doubled = digit * 2 > 9 ? digit * 2 - 9 : digit * 2
    sum += at % 2 === 1 ? doubled : digit
  }
  return sum
}
