/** A field of a schema as a reader wants it: `data[].id`. */
export type Field = {
  readonly path: string
  readonly type: string
  readonly isRequired: boolean
  readonly description: string
}

type Schema = {
  readonly type?: string
  readonly const?: unknown
  readonly format?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

/** All fields of an object's schema, and of the objects in it, in the order in which they are declared. */
export function fieldsOf(schema: Schema, before = ''): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = `${before}${name}`
    const field = {
      path,
      type: typeOf(property),
      isRequired: schema.required?.includes(name) ?? false,
      description: descriptionOf(property),
    }
    const inner = property.items ? fieldsOf(property.items, `${path}[].`) : fieldsOf(property, `${path}.`)
    return [field, ...inner]
  })
}

function typeOf(schema: Schema): string {
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.items) return `list of ${typeOf(schema.items)}`
  if (schema.format === 'date-time') return 'time'
  return schema.type ?? 'any'
}

/** Of one that may be null, what it is when it is not. */
function descriptionOf({ description, anyOf = [] }: Schema): string {
  return description ?? anyOf.find((choice) => choice.description !== undefined)?.description ?? ''
}
