import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { nearest } from '#kernel/nearest'
import { systemRandom } from '#kernel/random'
import { createRedrive, isReason, lagOfGroups, listParked, showParked, withoutSealed } from '#log'
import type { Call, Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { modulesOf } from './documents.ts'
import { table } from './help.ts'

const EVENT = {
  type: 'string',
  value: 'ID',
  summary: 'Of the events of the key; else the first, which failed',
} as const
const YES = { type: 'boolean', summary: 'Do it. Without it, it is only shown what would be done' } as const
const REASON = { type: 'string', value: 'TEXT', summary: 'Why; it stands on the log for good' } as const

const ON_RECORD =
  'It is one transaction with its event on the log, which says who, why and what: see millrace events show KEY.'

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
  options: {
    event: EVENT,
    data: { type: 'boolean', summary: 'Only the data of one event, as `millrace parked edit --file` takes it' },
  },
  run: (call) =>
    withDatabase(call, async (database) => {
      const [group = '', key = ''] = call.arguments
      await checkGroup(database, group)
      const id = call.text('event')
      const events = (await showParked(database, group, key)).filter(({ event }) => id === undefined || event.id === id)
      const [first] = events
      if (!first) throw notParked(group, key, id)
      if (call.isSet('data')) {
        call.print(JSON.stringify(withoutSealed(first.event.data), null, 2))
        return 0
      }
      for (const { event, original, error, attempts, parked_at } of events) {
        const was = original === null ? {} : { original: withoutSealed(original) }
        call.print(JSON.stringify({ parked_at, attempts, error, event: withoutSealed(event), ...was }, null, 2))
      }
      return 0
    }),
}

export const retry: Command = {
  name: 'parked retry',
  summary: 'Have parked events handled anew, in their order',
  arguments: '[GROUP] [KEY]',
  options: { all: { type: 'boolean', summary: 'Of every group' }, reason: REASON, yes: YES },
  details: ['The running platform does it. Events that fail again stay parked: see millrace parked list.', ON_RECORD],
  async run(call) {
    const [group = null, key = null] = call.arguments
    if ((group === null) !== call.isSet('all')) {
      throw new UsageError('Name the group whose keys to retry, or say --all. See: millrace parked retry --help')
    }
    const act = actOf(call)
    return withDatabase(call, async (database) => {
      await checkGroup(database, group)
      const retried = await createRedrive(database, systemRandom, []).retry({ group, key }, act)
      for (const one of retried) call.print(`${one.group} ${one.key}`)
      if (retried.length > 0) {
        const also = 'The running platform retries them now. What fails again stays: millrace parked list'
        call.warn(act.isDryRun ? notDone(call, []) : also)
        return 0
      }
      if (group !== null && key !== null) throw notParked(group, key)
      call.warn('Nothing of that is parked. See: millrace parked list')
      return 1
    })
  },
}

export const edit: Command = {
  name: 'parked edit',
  summary: 'Change the data of a parked event, where it stands',
  arguments: 'GROUP KEY',
  options: {
    event: EVENT,
    set: { type: 'string', value: '/data/FIELD=JSON', summary: 'The field, and what it shall be' },
    file: { type: 'string', value: 'FILE', summary: 'All of the data, as `millrace parked show --data` gives it' },
    reason: REASON,
    yes: YES,
  },
  details: [
    'The data has to fit the schema of its event type. What is sealed stays as it is: "sealed" stands for it.',
    'The event stays where it is in the queue of its key, and on the log as it was. Then: millrace parked retry.',
    ON_RECORD,
  ],
  async run(call) {
    const wanted = await editOf(call)
    return change(call, (redrive, target, act) => redrive.edit(target, wanted, act))
  },
}

export const discard: Command = {
  name: 'parked discard',
  summary: 'Give up a parked event for good: the group will never handle it',
  arguments: 'GROUP KEY',
  options: { event: EVENT, reason: REASON, yes: YES },
  details: ['The next of its key is tried at the next millrace parked retry. On the log the event stays.', ON_RECORD],
  run: (call) => change(call, (redrive, target, act) => redrive.discard(target, act)),
}

type Redrive = ReturnType<typeof createRedrive>
type Act = ReturnType<typeof actOf>
type Target = { group: string; key: string; event?: string }
type Outcome = Awaited<ReturnType<Redrive['discard']>>

async function change(
  call: Call,
  work: (redrive: Redrive, target: Target, act: Act) => Promise<Outcome>,
): Promise<number> {
  const [group = '', key = ''] = call.arguments
  const event = call.text('event')
  if (call.text('reason') === undefined) throw new UsageError('--reason is missing: say why. It stands on the log.')
  const act = actOf(call)
  const modules = await modulesOf(call)
  return withDatabase(call, async (database) => {
    await checkGroup(database, group)
    const target = { group, key, ...(event === undefined ? {} : { event }) }
    const outcome = await work(createRedrive(database, systemRandom, modules), target, act)
    if (outcome.status === 'not_parked') throw notParked(group, key, event)
    if (outcome.status === 'refused') throw new UsageError(`Nothing was changed: ${outcome.why}.`)
    return tell(call, target, outcome, act)
  })
}

function tell(call: Call, { group, key }: Target, outcome: Outcome & { status: 'done' }, act: Act): number {
  const { event, changes, left } = outcome
  const { id, type, topic, partition, offset } = event.event
  call.print(`${group} ${key}: ${type} ${id} (${topic}/${partition}@${offset})`)
  for (const { path, before = 'nothing', after = 'nothing' } of changes) call.print(`  ${path}: ${before} → ${after}`)
  if (changes.length === 0) call.print(`  ${act.isDryRun ? 'would be' : 'is'} given up for good`)
  const rest =
    left === 0 ? 'Nothing of the key is left: it flows again.' : `Then: millrace parked retry ${group} ${key} --yes`
  call.warn(act.isDryRun ? notDone(call, typeof id === 'string' ? ['--event', id] : []) : `Done. ${rest}`)
  return 0
}

/** What to say so that exactly this is done, whatever is first in the queue by then. */
function notDone(call: Call, more: readonly string[]): string {
  const isNamed = call.text('event') !== undefined || more.length === 0
  return `Nothing was changed. To do it, say the same with${isNamed ? '' : ` ${more.join(' ')}`} --yes`
}

function actOf(call: Call) {
  const reason = call.text('reason')
  if (reason !== undefined && !isReason(reason)) {
    throw new UsageError(
      '--reason must be 3 to 200 letters, digits and plain marks, and nothing of a person: no address, no card number.',
    )
  }
  // Who runs it is who the machine says, not what an environment variable does.
  const by = `os:${userInfo().username}`
  return { by, isDryRun: !call.isSet('yes'), ...(reason === undefined ? {} : { reason }) }
}

async function editOf(call: Call) {
  const [fields, file] = [call.texts('set'), call.text('file')]
  if ((fields.length === 0) === (file === undefined)) throw new UsageError('Say what to change: --set or --file.')
  if (file === undefined) return { set: fields.map(fieldSet) }
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) throw new UsageError(`--file: ${file} cannot be read.`)
  return { data: parsed(text, `--file: ${file} must hold JSON.`) }
}

function fieldSet(text: string) {
  const [path = ''] = text.split('=', 1)
  const must = `--set must be a field of /data and JSON, as in --set /data/amount=1999 or --set '/data/code="none"'.`
  if (path.length === text.length || !path.startsWith('/data/')) throw new UsageError(must)
  return { path, value: parsed(text.slice(path.length + 1), must) }
}

function parsed(text: string, otherwise: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(otherwise)
  }
}

async function checkGroup(database: Database, group: string | null): Promise<void> {
  if (group === null) return
  const groups = (await lagOfGroups(database)).map((lag) => lag.group)
  if (groups.includes(group)) return
  const near = nearest(group, groups)
  const hint = near === undefined ? `The groups are: ${groups.join(', ')}.` : `Did you mean ${near}?`
  throw new UsageError(`No group has the name ${group}. ${hint}`)
}

function notParked(group: string, key: string, event?: string): UsageError {
  const what = event === undefined ? 'Nothing' : `No event ${event}`
  return new UsageError(`${what} of ${key} is parked in ${group}. See: millrace parked list`)
}
