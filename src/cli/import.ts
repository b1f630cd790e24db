import { resolve } from 'node:path'
import { schemasOf } from '#app'
import { importAll } from '#backup'
import { type Config, loadConfig } from '#kernel/config'
import type { Database } from '#kernel/database'
import { applyErasures, readErasures } from '#kernel/erasure-register'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { modulesOf } from './documents.ts'
import { registersOf } from './kept-copies.ts'
import { progressLine } from './progress.ts'
import { keyAnswer, tellSoundness } from './restore.ts'
import { findingsIn } from './verify.ts'

export const importCommand: Command = {
  name: 'import',
  summary: 'Fill an empty database from what `millrace export` has written',
  arguments: 'DIR',
  details: [
    'Into the database of DATABASE_URL, or a new one in MILLRACE_DATA_DIR, on which nothing was ever started. The master',
    'key has to lie in MILLRACE_DATA_DIR first. All of it or nothing: broken off, it can be begun again.',
  ],
  async run(call) {
    const directory = resolve(call.cwd, call.arguments[0] ?? '')
    const schemas = schemasOf(await modulesOf(call))
    // Before a database is made for nothing.
    const masterKeyAnswer = await keyAnswer(await loadConfig(call))
    const progress = progressLine(process.stderr)
    const work = async (database: Database, config: Config): Promise<number> => {
      const imported = await importAll({
        database,
        schemas,
        directory,
        masterKeyAnswer,
        progress: (table, rows) => progress.show(`${table}: ${rows} rows`),
      })
      const registers = await Promise.all(registersOf(config).map(readErasures))
      const erasedAgain = await applyErasures(database, registers.flat())
      const sound = await findingsIn(database)
      progress.end()
      call.print(`Imported ${imported.rows} rows of ${imported.tables} tables.`)
      if (erasedAgain > 0) call.print(`Erased again: ${erasedAgain} subjects that were erased since.`)
      return tellSoundness(call, sound)
    }
    try {
      return await withDatabase(call, work, 'make what is missing')
    } finally {
      progress.end()
    }
  },
}
