import { isSealed } from '#kernel/seal'
import { maskPersonal } from '#kernel/telemetry-mask'

/** What is to become of an event's data: some of its fields, by JSON pointers that begin with `/data`, or all of it. */
export type Edit = { readonly set: readonly FieldSet[] } | { readonly data: unknown }
export type FieldSet = { readonly path: string; readonly value: unknown }

/** A leaf that changed, before and after as JSON; absent on the side where there was none. */
export type Change = { readonly path: string; readonly before?: string; readonly after?: string }

export type Edited =
  | { readonly status: 'edited'; readonly data: unknown; readonly changes: readonly Change[] }
  /** In words that follow the field's name, or stand alone. */
  | { readonly status: 'refused'; readonly why: string }

/** Changes of one edit: more is another event, not a repaired one. */
const CHANGES_MAX = 100

/**
 * The data after an edit, and what it changes. What is sealed stays as it is: `millrace parked show` says "sealed" in its
 * place, and the same word puts it back. Text that looks personal is refused, because an event holds it in clear.
 */
export function applyEdit(before: unknown, edit: Edit, sealed: readonly string[]): Edited {
  const wanted = 'data' in edit ? { status: 'set' as const, data: edit.data } : setAll(before, edit.set)
  if (wanted.status === 'refused') return wanted
  const data = withSealed(before, wanted.data)
  const changes = differences(before, data, '/data')
  const wrong = changes.find((change) => isSealedChange(change, sealed))
  if (wrong) return refused(`${wrong.path} is sealed, and stays as it is`)
  const personal = changes.find(({ after }) => after !== undefined && maskPersonal(after) !== after)
  if (personal)
    return refused(`${personal.path} looks like an address or a card number, which no event may hold in clear`)
  if (changes.length === 0) return refused('that changes nothing')
  if (changes.length > CHANGES_MAX)
    return refused(`that changes ${changes.length} fields, and may change ${CHANGES_MAX}`)
  return { status: 'edited', data, changes }
}

type Set = { readonly status: 'set'; readonly data: unknown } | (Edited & { readonly status: 'refused' })

function setAll(data: unknown, fields: readonly FieldSet[]): Set {
  let set: Set = { status: 'set', data }
  for (const { path, value } of fields) {
    if (set.status === 'refused') return set
    const [empty, root, ...names] = path.split('/').map(unescaped)
    if (empty !== '' || root !== 'data' || names.length === 0) return refused(`${path} must begin with /data/`)
    const next = replaced(set.data, names, value)
    set = next === MISSING ? refused(`${path} is not there: the way to it ends before`) : { status: 'set', data: next }
  }
  return set
}

const MISSING = Symbol('missing')

/** A copy with the value at the path; of what is not there only the last field may be new. */
function replaced(node: unknown, [name = '', ...rest]: readonly string[], value: unknown): unknown {
  if (typeof node !== 'object' || node === null) return MISSING
  const fields = Object.entries(node)
  const at = fields.findIndex(([field]) => field === name)
  if (at === -1 && (rest.length > 0 || Array.isArray(node))) return MISSING
  const next = rest.length === 0 ? value : replaced(fields[at]?.[1], rest, value)
  if (next === MISSING) return MISSING
  const changed: [string, unknown][] = at === -1 ? [...fields, [name, next]] : fields.with(at, [name, next])
  return Array.isArray(node) ? changed.map(([, item]) => item) : Object.fromEntries(changed)
}

/** RFC 6901: ~1 is a slash, ~0 a tilde. */
function unescaped(name: string): string {
  return name.replaceAll('~1', '/').replaceAll('~0', '~')
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

function withSealed(before: unknown, after: unknown): unknown {
  if (after === 'sealed' && typeof before === 'string' && isSealed(before)) return before
  if (typeof after !== 'object' || after === null) return after
  const parts = Object.entries(after).map(([name, part]) => [name, withSealed(partOf(before, name), part)] as const)
  return Array.isArray(after) ? parts.map(([, part]) => part) : Object.fromEntries(parts)
}

function partOf(node: unknown, name: string): unknown {
  return typeof node === 'object' && node !== null
    ? Object.entries(node).find(([field]) => field === name)?.[1]
    : undefined
}

function differences(before: unknown, after: unknown, path: string): Change[] {
  const [was, is] = [partsOf(before), partsOf(after)]
  if (!was || !is || Array.isArray(before) !== Array.isArray(after)) {
    const [old, now] = [JSON.stringify(before), JSON.stringify(after)]
    if (old === now) return []
    return [{ path, ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) }]
  }
  const names = [...new Set([...was.keys(), ...is.keys()])]
  return names.flatMap((name) => differences(was.get(name), is.get(name), `${path}/${escaped(name)}`))
}

function partsOf(node: unknown): Map<string, unknown> | undefined {
  return typeof node === 'object' && node !== null ? new Map(Object.entries(node)) : undefined
}

/** A field that its type seals, or anything that holds or would hold what has the shape of it. */
function isSealedChange({ path, before = '', after = '' }: Change, sealed: readonly string[]): boolean {
  if (sealed.some((field) => path === `/data/${field}` || path.startsWith(`/data/${field}/`))) return true
  return sealedInside.test(before) || sealedInside.test(after)
}

const sealedInside = /"s1\.[0-9a-z]{26}\.[A-Za-z0-9_-]{38,}"/

function refused(why: string): Edited & { status: 'refused' } {
  return { status: 'refused', why }
}
