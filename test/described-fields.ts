import type { TSchema } from 'typebox'

export type Field = { readonly path: string; readonly type: string }

/** The keywords of JSON Schema that our schemas use. */
type Keywords = {
  type?: string
  const?: unknown
  anyOf?: Keywords[]
  items?: Keywords
  properties?: Record<string, Keywords>
  required?: string[]
}

/** Lists of these are told by name, because a section of their own says what is in them. */
export type Named = ReadonlyMap<unknown, string>

/** Every field of a schema in words, inner ones behind a dot or `[]`. */
export function fieldsOf(schema: TSchema, named: Named): Field[] {
  return inside(schema, '', named)
}

function inside({ properties = {}, required = [] }: Keywords, prefix: string, named: Named): Field[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = `${prefix}${name}`
    const type = `${typeOf(schema, named)}${required.includes(name) ? '' : ', optional'}`
    return [{ path, type }, ...inner(schema, path, named)]
  })
}

function inner(schema: Keywords, path: string, named: Named): Field[] {
  if (schema.properties) return inside(schema, `${path}.`, named)
  const { items } = schema
  return items?.properties && !named.has(items) ? inside(items, `${path}[].`, named) : []
}

function typeOf(schema: Keywords, named: Named): string {
  if (schema.anyOf) return `one of ${schema.anyOf.map((option) => `\`${option.const}\``).join(', ')}`
  if (schema.const !== undefined) return `\`${schema.const}\``
  if (schema.items) return `list of ${named.get(schema.items) ?? plural(typeOf(schema.items, named))}`
  return schema.type === 'string' ? 'text' : (schema.type ?? 'anything')
}

function plural(type: string): string {
  return type.endsWith('s') ? type : `${type}s`
}
