import type { Operation } from './operation.ts'

/**
 * Why one operation must come before another: `saw` what the other had added; did not see it (`missed`), so the
 * other came later; or was `answered` before the other was asked.
 */
export type Reason = 'saw' | 'missed' | 'answered'
export type Edge = { readonly to: number; readonly reason: Reason; readonly object: string }

/** Reads of what nobody can have written. */
export type Impossible = {
  readonly kind: 'read of what was refused' | 'read of what was never asked for'
  readonly what: string
}

/** By place of the operation: what must come after it. */
export type Dependencies = { readonly edges: readonly (readonly Edge[])[]; readonly impossible: readonly Impossible[] }

/** What comes before what, by what was read and by real time. */
export function dependenciesOf(operations: readonly Operation[]): Dependencies {
  const edges: Edge[][] = operations.map(() => [])
  const impossible: Impossible[] = []
  const writers = writersOf(operations)
  for (const [reader, { name, reads }] of operations.entries()) {
    for (const { object, value } of reads) {
      let unexplained = value
      for (const { amount, writer } of writers.get(object) ?? []) {
        const isSeen = (value & amount) !== 0n
        if (isSeen) unexplained -= amount
        if (writer === reader) continue
        const { outcome, name: written } = operations[writer] ?? { outcome: 'unknown', name: '' }
        if (isSeen && outcome === 'refused')
          impossible.push({ kind: 'read of what was refused', what: `${name} saw ${written} on ${object}` })
        if (isSeen) edges[writer]?.push({ to: reader, reason: 'saw', object })
        else if (outcome === 'done') edges[reader]?.push({ to: writer, reason: 'missed', object })
      }
      if (unexplained !== 0n)
        impossible.push({ kind: 'read of what was never asked for', what: `${name} saw ${unexplained} on ${object}` })
    }
  }
  for (const [before, after] of realTime(operations)) edges[before]?.push({ to: after, reason: 'answered', object: '' })
  return { edges, impossible }
}

function writersOf(operations: readonly Operation[]): Map<string, { amount: bigint; writer: number }[]> {
  const writers = new Map<string, { amount: bigint; writer: number }[]>()
  for (const [writer, { adds }] of operations.entries()) {
    for (const { object, amount } of adds) {
      const of = writers.get(object) ?? []
      of.push({ amount, writer })
      writers.set(object, of)
    }
  }
  return writers
}

/**
 * Who was answered before whom was asked. Not all of it: whoever is before somebody in the list that is before another is
 * left out, so that there are as many as are under way at once and not as many as there are.
 */
function* realTime(operations: readonly Operation[]): Generator<[before: number, after: number]> {
  const instants = operations
    .flatMap(({ askedAt, answeredAt }, operation) => [
      { at: askedAt, operation, isAnswer: false },
      { at: answeredAt, operation, isAnswer: true },
    ])
    .sort((a, b) => a.at - b.at)
  let latest: number[] = []
  const before = new Map<number, readonly number[]>()
  for (const { operation, isAnswer } of instants) {
    if (!isAnswer) {
      before.set(operation, latest)
      for (const one of latest) yield [one, operation]
      continue
    }
    const passed = new Set(before.get(operation))
    latest = [...latest.filter((one) => !passed.has(one)), operation]
  }
}
