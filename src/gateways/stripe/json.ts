/**
 * Reading JSON of which nothing is promised: what is not there, or not of the kind asked for, is
 * undefined. Only own properties count, so `__proto__` and `constructor` are names like any other.
 */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function valueAt(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

export function objectAt(object: JsonObject, name: string): JsonObject | undefined {
  const value = valueAt(object, name)
  return isObject(value) ? value : undefined
}

export function textAt(object: JsonObject, name: string): string | undefined {
  const value = valueAt(object, name)
  return typeof value === 'string' ? value : undefined
}

/** Only whole numbers that are exact (and 0 for -0). A number in a string is not one. */
export function integerAt(object: JsonObject, name: string): number | undefined {
  const value = valueAt(object, name)
  return typeof value === 'number' && Number.isSafeInteger(value) ? value + 0 : undefined
}

/** Longer lists are cut: Stripe includes ten of anything. */
const listLengthMax = 100

/** The objects of a list: Stripe's `{ object: 'list', data: [] }`, or a bare array as before 2014. */
export function listAt(object: JsonObject, name: string): JsonObject[] {
  const value = valueAt(object, name)
  const items = isObject(value) ? valueAt(value, 'data') : value
  return Array.isArray(items) ? items.slice(0, listLengthMax).filter(isObject) : []
}
