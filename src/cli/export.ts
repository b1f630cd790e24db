import { resolve } from 'node:path'
import { schemasOf } from '#app'
import { exportAll } from '#backup'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { modulesOf } from './documents.ts'
import { progressLine } from './progress.ts'

export const exportCommand: Command = {
  name: 'export',
  summary: 'Write everything as JSON Lines into a directory, as of one instant',
  arguments: 'DIR',
  details: [
    'The way to another major version of PostgreSQL, to another server, and out of a managed one. While it is made the',
    'platform may go on; what comes later is not in it. The master key is not in it either, nor are archived segments',
    'of the log: take them along.',
  ],
  async run(call) {
    const directory = resolve(call.cwd, call.arguments[0] ?? '')
    const schemas = schemasOf(await modulesOf(call))
    const progress = progressLine(process.stderr)
    try {
      const { tables, madeAt } = await withDatabase(call, (database) =>
        exportAll({ database, schemas, directory, progress: (table, rows) => progress.show(`${table}: ${rows} rows`) }),
      )
      progress.end()
      const rows = tables.reduce((sum, table) => sum + table.rows, 0)
      call.print(`Exported ${rows} rows of ${tables.length} tables into ${directory}, as of ${madeAt}.`)
      return 0
    } finally {
      progress.end()
    }
  },
}
