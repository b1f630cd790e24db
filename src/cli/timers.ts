import { listTimers } from '#log'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { table } from './help.ts'

const SHOWN_MAX = 1_000

export const listAllTimers: Command = {
  name: 'timers list',
  summary: 'Show what is scheduled, the next first',
  run: (call) =>
    withDatabase(call, async (database) => {
      const timers = await listTimers(database, SHOWN_MAX)
      if (timers.length === 0) call.print('Nothing is scheduled.')
      const rows = timers.map(({ id, generation, due_at, fired_at, topic }) => {
        return [due_at.toISOString(), fired_at === null ? 'waiting' : 'fired', topic ?? '', String(generation), id]
      })
      const head = ['DUE', 'STATE', 'TOPIC', 'GENERATION', 'ID']
      for (const line of rows.length > 0 ? table([head, ...rows], '') : []) call.print(line)
      return 0
    }),
}
