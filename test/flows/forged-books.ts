import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ExportedRow } from '#backup'
import { type Books, check, tables } from './exported-books.ts'

/** Changes a drawn place of the books, as somebody would who mends all checksums too; so often, and it has to be found. */
export async function everyForgeryIsFound(held: Books, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...placesIn(held)), fc.nat(), fc.nat(), async (place, way, at) => {
      const { what, books: changed } = damaged(held, place, way, at)
      const { findings } = await check(changed)
      assert.ok(findings.length > 0, `not found: ${what}`)
    }),
    { numRuns },
  )
}

type Place = { readonly table: string; readonly row: number; readonly columns: readonly string[] }

/** What the check does not speak of: which requests they were, who keeps which part of a sum, and counts of the log's own. */
const unchecked = new Set([
  ...['event_id', 'traceparent', 'fingerprint', 'position', 'attachment', 'epoch'],
  ...['ledger.entry.booked_at', 'ledger.balance.stripe'],
])

/** Every row of the books, with the columns that say something of them. */
function placesIn(held: Books): Place[] {
  return tables.flatMap((table) =>
    (held[table] ?? []).flatMap(({ cells }, row) => {
      const isOfBooks = !table.startsWith('log.') || cells.topic === 'ledger'
      const isRead = table !== 'log.checkpoint' || /^ledger.(?:balances|statements)$/.test(cells.grp ?? '')
      if (!isOfBooks || !isRead || cells.next_offset === '0') return []
      const ofEntries = table !== 'log.record' || cells.type === 'ledger.entry_posted'
      const isChecked = (column: string): boolean =>
        (ofEntries || ['topic', 'partition', 'offset'].includes(column)) &&
        cells[column] !== null &&
        !unchecked.has(column) &&
        !unchecked.has(`${table}.${column}`)
      return [{ table, row, columns: Object.keys(cells).filter(isChecked) }]
    }),
  )
}

/** A bit turned, a row removed, or, of blocks and of the log, two rows in each other's place. */
function damaged(held: Books, { table, row, columns }: Place, way: number, at: number): { what: string; books: Books } {
  const rows = [...(held[table] ?? [])]
  const found = rows[row]
  assert.ok(found)
  const where = `${table}, line ${found.line}`
  const next = rows[row + 1]
  const put = (what: string, changed: readonly ExportedRow[]) => ({
    what: `${what} ${where}`,
    books: { ...held, [table]: changed },
  })
  if (way % 5 === 0) return put('removed', rows.toSpliced(row, 1))
  if (
    way % 5 === 1 &&
    next &&
    (table === 'ledger.block' || table === 'log.record') &&
    next.cells.topic === found.cells.topic
  ) {
    return put('swapped', rows.toSpliced(row, 2, next, found))
  }
  const column = columns[at % columns.length] ?? ''
  const cell = found.cells[column] ?? ''
  const turned = table === 'log.record' && column === 'event' ? turnedData(cell, at) : turnedBit(cell, at)
  return put(
    `${column} ${cell} → ${turned} in`,
    rows.with(row, { ...found, cells: { ...found.cells, [column]: turned } }),
  )
}

function turnedBit(text: string, at: number): string {
  if (text === '') return 'x'
  // What is finer than a millisecond is sealed nowhere.
  const end = /^\d{4}-\d\d-\d\d \d/.test(text) ? '2026-11-21 22:24:31.531'.length : text.length
  const place = at % Math.min(end, text.length)
  return text.slice(0, place) + String.fromCharCode(text.charCodeAt(place) ^ (1 << (at % 5))) + text.slice(place + 1)
}

/** Within what the event says of the entry. */
function turnedData(event: string, at: number): string {
  const start = event.indexOf('"data":') + '"data":'.length
  return event.slice(0, start) + turnedBit(event.slice(start, -1), at) + event.slice(-1)
}
