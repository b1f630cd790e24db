import { invariant } from './invariant.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined }

/**
 * The one text of a JSON value, after RFC 8785: no spaces, members sorted by UTF-16 code units, numbers
 * and strings as ECMAScript writes them. Equal values give equal texts, whatever order they came in;
 * a member that is undefined is left out, as in JSON.stringify.
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) return canonicalObject(value)
  // RFC 8785 has no text for NaN, infinities or lone surrogates; taking any would let two values share one.
  if (typeof value === 'number') invariant(Number.isFinite(value), 'a number in canonical JSON is finite')
  if (typeof value === 'string') invariant(value.isWellFormed(), 'a string in canonical JSON is well-formed Unicode')
  return JSON.stringify(value)
}

function canonicalObject(value: object): string {
  const members: string[] = []
  // The default order of sort is by UTF-16 code units.
  for (const name of Object.keys(value).sort()) {
    const member: Json | undefined = Reflect.get(value, name)
    if (member !== undefined) members.push(`${canonicalJson(name)}:${canonicalJson(member)}`)
  }
  return `{${members.join(',')}}`
}
