import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import { UsageError } from '#kernel/errors'
import { writeJournal } from '#ledger'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'

const formats = ['hledger', 'jsonl', 'parquet'] as const

export const journal: Command = {
  name: 'journal',
  summary: 'Write every entry of the ledger into a file: for hledger, as JSON Lines, or as Parquet',
  arguments: 'FILE',
  options: {
    format: { type: 'string', value: 'F', summary: 'hledger, jsonl or parquet (hledger)' },
    tenant: { type: 'string', value: 'T', summary: 'whose it is (main)' },
    mode: { type: 'string', value: 'M', summary: 'test or live (test)' },
  },
  details: [
    'As of one instant; the platform may go on meanwhile. `hledger -f FILE balance` recomputes every balance from it.',
    'Parquet has a row for each posting, amounts in minor units as 64-bit integers, debits above zero.',
  ],
  async run(call) {
    const wanted = call.text('format') ?? 'hledger'
    const format = formats.find((name) => name === wanted)
    if (!format) throw new UsageError(`--format must be hledger, jsonl or parquet. See: millrace journal --help`)
    const whose = { tenant: call.text('tenant') ?? 'main', mode: call.text('mode') ?? 'test' }
    const path = resolve(call.cwd, call.arguments[0] ?? '')
    const count = await withDatabase(call, (database) =>
      writeTo(path, (write) => writeJournal(database, whose, format, write)),
    )
    call.print(`Wrote ${count} entries to ${path}.`)
    return 0
  },
}

/** The file is there when it resolves, whole. */
export async function writeTo<T>(
  path: string,
  work: (write: (piece: string | Uint8Array) => Promise<void>) => Promise<T>,
): Promise<T> {
  const file = createWriteStream(path, { flags: 'wx' })
  const written = finished(file).catch((error: unknown) => {
    throw new UsageError(`${path} cannot be written: ${error instanceof Error ? error.message : 'unknown'}`)
  })
  const working = work(async (piece) => {
    if (!file.write(piece)) await Promise.race([new Promise((done) => file.once('drain', done)), written])
  })
  const result = await Promise.race([working, written.then(() => working)])
  file.end()
  await written
  return result
}
