import type { TSchema } from 'typebox'

type Node = { readonly [keyword: string]: unknown }

/** Keywords that hold one schema, many, or many by name. `allOf` is left alone: its parts see each other's fields. */
const ONE = new Set(['items'])
const MANY = new Set(['anyOf', 'oneOf', 'prefixItems'])
const NAMED = new Set(['properties', 'patternProperties', '$defs'])

/** The schema for writing: a field that is not declared is refused, so nothing gets onto the log by accident. */
export function closedSchema(schema: TSchema): TSchema {
  return rewrite(schema, (node) => ({ additionalProperties: false, ...node })) as TSchema
}

/** The schema for reading: a field that is not declared is a newer version's, and ignored. */
export function openSchema(schema: TSchema): TSchema {
  return rewrite(schema, ({ additionalProperties, ...node }) =>
    additionalProperties === false ? node : { ...node, additionalProperties },
  ) as TSchema
}

function rewrite(schema: unknown, change: (node: Node) => Node): unknown {
  if (!isNode(schema)) return schema
  const inner = Object.fromEntries(
    Object.entries(schema).map(([word, value]) => [word, rewriteIn(word, value, change)]),
  )
  return 'properties' in inner ? change(inner) : inner
}

function rewriteIn(word: string, value: unknown, change: (node: Node) => Node): unknown {
  if (ONE.has(word)) return rewrite(value, change)
  if (MANY.has(word) && Array.isArray(value)) return value.map((part: unknown) => rewrite(part, change))
  if (!NAMED.has(word) || !isNode(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, rewrite(part, change)]))
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
