import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Refusal, type RefusalCode } from './errors.ts'
import { invariant } from './invariant.ts'

type Check = (value: unknown) => { value: unknown } | { error: Refusal }

/**
 * Checks one part of a request against its TypeBox schema, as it came: nothing is coerced, filled in
 * or removed. The first mistake becomes a refusal that names the field and what would be right.
 */
export function compileRequestSchema(schema: TSchema, part: string): Check {
  if (part === 'body' || part === 'querystring') requireClosed(schema, part)
  const validator = Compile(schema)
  if (part === 'body') {
    return (value) => {
      if (!validator.Check(value)) return { error: refusalOf(validator.Errors(value)) }
      const field = unstorableField(value)
      return field === undefined ? { value } : { error: unstorableRefusal(field) }
    }
  }
  return (value) => {
    const field = validator.Check(value) ? unstorableField(value) : parameterOf(validator.Errors(value))
    return field === undefined ? { value } : { error: parameterRefusal(schema, field) }
  }
}

/**
 * Where a text is that PostgreSQL does not take: one with a NUL or half a surrogate pair. What is sealed could hold it, but
 * its digest, and whatever reads it later, could not.
 */
function unstorableField(value: unknown, path: readonly string[] = []): string | undefined {
  if (typeof value === 'string') return isStorable(value) ? undefined : path.join('.')
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, part] of Object.entries(value)) {
    // Such a name cannot be said back either.
    const found = isStorable(name) ? unstorableField(part, [...path, name]) : path.join('.')
    if (found !== undefined) return found
  }
  return undefined
}

function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

function unstorableRefusal(field: string): Refusal {
  return new Refusal('body_invalid', { field, detail: `${field} must hold neither NUL nor half a surrogate pair` })
}

function parameterOf(errors: readonly TLocalizedValidationError[]): string {
  const [first] = errors
  invariant(first, 'what does not fit a schema has an error')
  return fieldOf(first)
}

/** Parameters are texts with a grammar each: what would be right is said by the schema's own description. */
function parameterRefusal({ properties = {} }: ObjectKeywords, field: string): Refusal {
  if (!Object.hasOwn(properties, field)) {
    const known = Object.keys(properties).join(', ')
    const detail = known === '' ? 'takes no parameters' : `takes only: ${known}`
    return new Refusal('parameter_invalid', { field, detail: `This address ${detail}` })
  }
  const { description }: { description?: string } = properties[field] ?? {}
  return new Refusal('parameter_invalid', { field, ...(description ? { detail: `${field}: ${description}` } : {}) })
}

/**
 * An object that lets unknown fields through would drop a caller's misspelt field in silence, and a
 * record does not even look at values whose keys miss its pattern.
 */
function requireClosed(schema: TSchema, path: string): void {
  const { properties, patternProperties, additionalProperties, items }: ObjectKeywords = schema
  const inner = { ...properties, ...patternProperties }
  const isClosed = (properties ?? patternProperties) === undefined || additionalProperties === false
  invariant(isClosed, `the request schema at ${path} says additionalProperties: false`)
  for (const [name, property] of Object.entries(inner)) requireClosed(property, `${path}.${name}`)
  if (items) requireClosed(items, `${path}[]`)
}

type ObjectKeywords = {
  properties?: Record<string, TSchema>
  patternProperties?: Record<string, TSchema>
  additionalProperties?: unknown
  items?: TSchema
}

const codes: ReadonlyMap<string, RefusalCode> = new Map([
  ['amount', 'amount_invalid'],
  ['currency', 'currency_unknown'],
])

function refusalOf(errors: readonly TLocalizedValidationError[]): Refusal {
  const [first] = errors
  invariant(first, 'what does not fit a schema has an error')
  const field = fieldOf(first)
  if (field === '') return new Refusal('body_invalid', { detail: 'The request body must be a JSON object' })
  return new Refusal(codes.get(field) ?? 'body_invalid', { field, detail: `${field} ${complaint(first, errors)}` })
}

/** Names are the caller's when unknown, so what is said back of them is bounded. */
const fieldLengthMax = 128

function fieldOf(error: TLocalizedValidationError): string {
  const path = error.instancePath.split('/').slice(1).map(fromPointer)
  if (error.keyword === 'required') path.push(error.params.requiredProperties[0] ?? '')
  return path.join('.').slice(0, fieldLengthMax)
}

function complaint(error: TLocalizedValidationError, errors: readonly TLocalizedValidationError[]): string {
  switch (error.keyword) {
    case 'required':
      return 'is required'
    case 'boolean':
      return 'is not a known field'
    case 'const':
      return `must be one of: ${allowedValues(error.instancePath, errors).join(', ')}`
    default:
      // TypeBox speaks of the schema only, never of the value.
      return error.message
  }
}

function allowedValues(path: string, errors: readonly TLocalizedValidationError[]): string[] {
  return errors.flatMap((error) =>
    error.keyword === 'const' && error.instancePath === path ? [String(error.params.allowedValue)] : [],
  )
}

/** RFC 6901. */
function fromPointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}
