import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { UsageError } from './errors.ts'
import { nearest } from './nearest.ts'

/**
 * The settings, or a UsageError with one line for the first that is unknown or wrong. `nameOf` says where a
 * setting was set; what would be right is its schema's description. Values are never repeated: any
 * of them may be a secret in the wrong place.
 */
export function checkSettings<Schema extends TSchema>(
  schema: Schema,
  values: unknown,
  nameOf: (path: string) => string,
): Static<Schema> {
  const validator = Compile(schema)
  if (isValid(values)) return values
  const [error] = validator.Errors(values)
  const path = (error?.instancePath ?? '').split('/').slice(1)
  if (error?.keyword === 'required') path.push(error.params.requiredProperties[0] ?? '')
  const name = nameOf(path.join('.'))
  if (error?.keyword === 'boolean') throw new UsageError(`${name} is not a setting.${suggestion(schema, path)}`)
  throw new UsageError(`${name} must be ${descriptionAt(schema, path)}.`)

  function isValid(candidate: unknown): candidate is Static<Schema> {
    return validator.Check(candidate)
  }
}

type Node = {
  description?: string
  properties?: Record<string, Node>
  patternProperties?: Record<string, Node>
  items?: Node
}

/** The deepest description along the path: what holds the wrong value says what it wants. */
function descriptionAt(schema: Node, path: readonly string[]): string {
  let [node, description]: [Node | undefined, string] = [schema, '']
  for (const name of ['', ...path]) {
    node = name === '' ? node : child(node, name)
    description = node?.description ?? description
  }
  return description
}

function suggestion(schema: Node, path: readonly string[]): string {
  let node: Node | undefined = schema
  for (const name of path.slice(0, -1)) node = child(node, name)
  if (node?.patternProperties) return ` Expected ${node.description}.`
  const known = Object.keys(node?.properties ?? {})
  const near = nearest(path.at(-1) ?? '', known)
  return near === undefined ? ` Known are ${known.join(', ')}.` : ` Did you mean ${near}?`
}

function child(node: Node | undefined, name: string): Node | undefined {
  return node?.properties?.[name] ?? Object.values(node?.patternProperties ?? {})[0] ?? node?.items
}
