import type { Books, Change } from './books.ts'
import type { Unit } from './topic.ts'
import { touchedBy } from './touched.ts'
import { applyUnit } from './unit.ts'

/** Units of one transaction in an order that explains them, each with what it changed. The books have changed by them. */
export type Placed = { readonly unit: Unit; readonly changes: readonly Change[]; readonly touched: readonly string[] }

/** Orders that are tried before a transaction counts as unexplained. */
const TRIES_MAX = 50_000

/**
 * A transaction is decided one command after another, and the log does not say in which order: entries are in order in each
 * partition, and that is all. So an order is looked for in which the model decides every one of them as the platform
 * did, first of all the one in which they were asked for.
 */
export function placeUnits(books: Books, units: readonly Unit[]): readonly Placed[] | { readonly reason: string } {
  const before = predecessorsOf(units)
  const placed: Placed[] = []
  const done = new Set<number>()
  const seen = new Set<string>()
  let tries = 0
  let reason = ''

  const next = (): boolean => {
    if (done.size === units.length) return true
    const name = [...done].sort((a, b) => a - b).join()
    if (seen.has(name)) return false
    seen.add(name)
    for (const [place, unit] of units.entries()) {
      if (done.has(place) || !before[place]?.every((other) => done.has(other))) continue
      if (++tries > TRIES_MAX) return false
      const applied = applyUnit(books, unit)
      if ('reason' in applied) {
        reason ||= applied.reason
        continue
      }
      const { changes, undo } = applied
      done.add(place)
      placed.push({ unit, changes, touched: touchedBy(changes, books) })
      if (next()) return true
      placed.pop()
      done.delete(place)
      undo()
    }
    return false
  }
  return next() ? placed : { reason: reason || 'the order on the log goes round in a circle' }
}

/** For each unit those that come right before it: entries of one partition are in the order in which they were decided. */
function predecessorsOf(units: readonly Unit[]): number[][] {
  const before: number[][] = units.map(() => [])
  const entries = units.flatMap(({ facts }, place) =>
    facts
      .filter(({ type }) => type === 'ledger.entry_posted')
      .map(({ partition, offset }) => ({ partition, offset, place })),
  )
  for (const chain of Map.groupBy(entries, ({ partition }) => partition).values()) {
    chain.sort((a, b) => (a.offset < b.offset ? -1 : 1))
    for (const [n, { place }] of chain.entries()) {
      const last = chain[n - 1]
      if (last && last.place !== place) before[place]?.push(last.place)
    }
  }
  return before
}
