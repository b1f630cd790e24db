type Json = string | number | boolean | null | Json[] | { [name: string]: Json }

/** Whatever JSON treats in a way of its own: an object of a class, one that says how it is written, a name that is none. */
const ODD = Symbol('odd')

/**
 * What `JSON.parse(json)` gives, where `json` is the value written out: made from the value at a fraction of what parsing
 * takes, because texts need not be made anew. Shares nothing with the value that could be changed.
 */
export function jsonCopy(value: unknown, json: () => string): unknown {
  const copied = copy(value)
  return copied === ODD || copied === undefined ? JSON.parse(json()) : copied
}

function copy(value: unknown): Json | typeof ODD | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      // JSON has neither minus zero nor what is no number.
      return Number.isFinite(value) ? value + 0 : null
    case 'object':
      if (value === null) return null
      return Array.isArray(value) ? copyArray(value) : copyObject(value)
    case 'undefined':
      return undefined
    default:
      return ODD
  }
}

function copyArray(values: readonly unknown[]): Json[] | typeof ODD {
  const made: Json[] = []
  if ('toJSON' in values) return ODD
  for (const value of values) {
    const copied = copy(value)
    if (copied === ODD) return ODD
    made.push(copied ?? null)
  }
  return made
}

function copyObject(value: object): Json | typeof ODD {
  if (Object.getPrototypeOf(value) !== Object.prototype || 'toJSON' in value) return ODD
  const made: { [name: string]: Json } = {}
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return ODD
    const copied = copy((value as Record<string, unknown>)[name])
    if (copied === ODD) return ODD
    if (copied !== undefined) made[name] = copied
  }
  return made
}
