import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { nearest } from '#kernel/nearest'
import { systemRandom } from '#kernel/random'
import { lagOfGroups, listParked, retryParkedKeys, showParked, withoutSealed } from '#log'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { table } from './help.ts'

export const list: Command = {
  name: 'parked list',
  summary: 'Show the keys whose events could not be handled, and why',
  arguments: '[GROUP]',
  run: (call) =>
    withDatabase(call, async (database) => {
      const [group = null] = call.arguments
      await checkGroup(database, group)
      const keys = await listParked(database, group)
      if (keys.length === 0) call.print('Nothing is parked.')
      const rows = keys.map(({ group, key, events, first_type, error, parked_at, retry_requested_at }) => {
        const state = retry_requested_at === null ? 'parked' : 'to be retried'
        return [group, key, String(events), first_type ?? '', error ?? '', parked_at.toISOString(), state]
      })
      const head = ['GROUP', 'KEY', 'EVENTS', 'FIRST', 'ERROR', 'SINCE', 'STATE']
      for (const line of rows.length > 0 ? table([head, ...rows], '') : []) call.print(line)
      return 0
    }),
}

export const show: Command = {
  name: 'parked show',
  summary: 'Show the parked events of a key, in the order in which they will be handled',
  arguments: 'GROUP KEY',
  run: (call) =>
    withDatabase(call, async (database) => {
      const [group = '', key = ''] = call.arguments
      await checkGroup(database, group)
      const events = await showParked(database, group, key)
      if (events.length === 0) throw notParked(group, key)
      for (const { event, error, attempts, parked_at } of events) {
        call.print(JSON.stringify({ parked_at, attempts, error, event: withoutSealed(event) }, null, 2))
      }
      return 0
    }),
}

export const retry: Command = {
  name: 'parked retry',
  summary: 'Have parked events handled anew, in their order',
  arguments: '[GROUP] [KEY]',
  options: { all: { type: 'boolean', summary: 'Of every group' } },
  details: [
    'It asks the running platform to do it, and records the request on the log as log.retry_requested.',
    'Events that fail again stay parked: see millrace parked list.',
  ],
  async run(call) {
    const [group = null, key = null] = call.arguments
    if ((group === null) !== call.isSet('all')) {
      throw new UsageError('Name the group whose keys to retry, or say --all. See: millrace parked retry --help')
    }
    return withDatabase(call, async (database) => {
      await checkGroup(database, group)
      const retried = await retryParkedKeys(database, systemRandom, { group, key })
      for (const one of retried) call.print(`${one.group} ${one.key}`)
      if (retried.length > 0) {
        call.warn('The running platform retries them now. What fails again stays: millrace parked list')
        return 0
      }
      if (group !== null && key !== null) throw notParked(group, key)
      call.warn('Nothing of that is parked. See: millrace parked list')
      return 1
    })
  },
}

async function checkGroup(database: Database, group: string | null): Promise<void> {
  if (group === null) return
  const groups = (await lagOfGroups(database)).map((lag) => lag.group)
  if (groups.includes(group)) return
  const near = nearest(group, groups)
  const hint = near === undefined ? `The groups are: ${groups.join(', ')}.` : `Did you mean ${near}?`
  throw new UsageError(`No group has the name ${group}. ${hint}`)
}

function notParked(group: string, key: string): UsageError {
  return new UsageError(`Nothing of ${key} is parked in ${group}. See: millrace parked list`)
}
