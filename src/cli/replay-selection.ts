import { UsageError } from '#kernel/errors'
import type { ReplayOptions } from '#log'
import type { Call } from './command.ts'

/** Which events are folded, to see what comes of them. */
export type Selection = NonNullable<ReplayOptions['isWanted']>
type Event = Parameters<Selection>[0]

const fields = {
  key: ({ key }: Event) => key,
  type: ({ type }: Event) => type,
  tenant: ({ tenant }: Event) => tenant,
  mode: ({ mode }: Event) => mode,
  partition: ({ partition }: Event) => String(partition),
} as const satisfies Record<string, (event: Event) => string>

/** What --from and --filter let pass, both if both are given. @throws UsageError for what is neither. */
export function selectionOf(call: Pick<Call, 'text'>): Selection | undefined {
  const [from, filter] = [call.text('from'), call.text('filter')]
  const tests = [
    ...(from === undefined ? [] : [since(from)]),
    ...(filter === undefined ? [] : filter.split(',').map(fieldIs)),
  ]
  return tests.length === 0 ? undefined : (event) => tests.every((test) => test(event))
}

function since(text: string): Selection {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text)
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/.test(text)
  const ms = isDay || isTime ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw new UsageError('--from must be a day or a time with its zone, as in 2026-11-21T08:00Z.')
  return ({ time }) => time.getTime() >= ms
}

function fieldIs(text: string): Selection {
  const [name = '', ...rest] = text.split('=')
  const value = rest.join('=')
  const field = Object.entries(fields).find(([known]) => known === name)?.[1]
  if (!field || value === '') {
    throw new UsageError(
      `--filter must be FIELD=VALUE, with one of ${Object.keys(fields).join(', ')}; more after commas.`,
    )
  }
  return (event) => field(event) === value
}
