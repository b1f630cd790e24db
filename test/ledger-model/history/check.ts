import { type Cycle, cyclesIn } from './cycles.ts'
import { dependenciesOf, type Edge, type Impossible } from './dependencies.ts'
import type { Operation } from './operation.ts'

export type Anomaly = {
  readonly kind: Impossible['kind'] | 'lost update' | 'write skew' | 'read skew' | 'circular reads' | 'stale read'
  /** Who came before whom, and why. */
  readonly what: string
}

/** What of a history no order of its operations, one after another and true to real time, explains. Empty, or it is wrong. */
export function anomaliesIn(operations: readonly Operation[]): Anomaly[] {
  const { edges, impossible } = dependenciesOf(operations)
  const byReads = cyclesIn(edges, ({ reason }) => reason !== 'answered')
  // What is wrong by the reads alone is wrong by real time as well: it is told once.
  const cycles = byReads.length > 0 ? byReads : cyclesIn(edges)
  return [
    ...impossible,
    ...lostIn(operations),
    ...cycles.map((cycle) => ({ kind: kindOf(cycle, operations), what: tell(cycle, operations) })),
  ]
}

/** What was done, and is not in its object when all is over: somebody wrote over it. */
function lostIn(operations: readonly Operation[]): Anomaly[] {
  const over = Math.max(...operations.filter(({ adds }) => adds.length > 0).map(({ answeredAt }) => answeredAt))
  const last = new Map(
    operations
      .filter(({ askedAt }) => askedAt > over)
      .flatMap(({ reads }) => reads.map(({ object, value }): [string, bigint] => [object, value])),
  )
  return operations
    .filter(({ outcome }) => outcome === 'done')
    .flatMap(({ name, adds }) =>
      adds
        .filter(({ object, amount }) => ((last.get(object) ?? amount) & amount) === 0n)
        .map(
          ({ object, amount }): Anomaly => ({ kind: 'lost update', what: `${amount} of ${name} on ${object} is gone` }),
        ),
    )
}

function kindOf(cycle: Cycle, operations: readonly Operation[]): Anomaly['kind'] {
  const missed = cycle.filter(({ edge }) => edge.reason === 'missed')
  if (cycle.some(({ edge }) => edge.reason === 'answered')) return 'stale read'
  if (missed.length === 0) return 'circular reads'
  if (missed.length === 1) return 'read skew'
  const objects = new Set(missed.map(({ edge }) => edge.object))
  const isWritten = missed.every(({ from, edge }) =>
    operations[from]?.adds.some(({ object }) => object === edge.object),
  )
  return objects.size === 1 && isWritten ? 'lost update' : 'write skew'
}

const WORDS: Readonly<Record<Edge['reason'], string>> = {
  saw: 'was seen by',
  missed: 'did not see',
  answered: 'was answered before the asking of',
}

function tell(cycle: Cycle, operations: readonly Operation[]): string {
  return cycle
    .map(({ from, edge }) => {
      const on = edge.object === '' ? '' : ` on ${edge.object}`
      return `${operations[from]?.name} ${WORDS[edge.reason]} ${operations[edge.to]?.name}${on}`
    })
    .join(', ')
}
