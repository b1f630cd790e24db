import { batched } from '#kernel/batched'
import type { Database } from '#kernel/database'
import { factsTransaction, roleOf, type Wakeups } from '#log'
import { openBook, type Scope, type Whose, writeBook } from './book-sql.ts'
import type { Command, Outcome } from './command.ts'
import { addConversions } from './conversion-sql.ts'
import { decide, decideLinked } from './decide.ts'
import { entryId, entrySource } from './entry-source.ts'
import { addTemplates } from './entry-template-sql.ts'
import { entryPosted } from './events.ts'
import { type Asked, factsOf, holdKey, postedEventId } from './facts.ts'
import { writeSchedules } from './schedule-sql.ts'

/** Commands of one transaction, but for a single request of more; bounds how long guards and heads stay locked. */
const COMMANDS_MAX = 1_024
/** How often a batch is decided anew because another process wrote first. */
const ATTEMPTS_MAX = 20

export type DeskRequest = Whose &
  Asked & {
    readonly commands: readonly Command[]
    /** All are done, or none. */
    readonly isLinked: boolean
    /** Only said what would happen. */
    readonly isDryRun?: boolean
  }

/** Takes commands on the ledger; each caller gets the outcome of its own, once it is committed. */
export type Desk = { submit(request: DeskRequest): Promise<readonly Outcome[]> }

/**
 * Group commit: requests of the moment share a transaction, each with its own outcome, so that an account that everybody
 * uses is locked once for all of them. The locks are taken in one order by everybody; the entries, the guards and the
 * facts commit together.
 */
export function createDesk(ports: { readonly database: Database; readonly wakeups: Wakeups }): Desk {
  const lanes = new Map<string, (request: DeskRequest) => Promise<readonly Outcome[]>>()
  return {
    submit(request) {
      const name = `${request.tenant}/${request.mode}`
      const lane = lanes.get(name) ?? laneOf(ports)
      lanes.set(name, lane)
      return lane(request)
    },
  }
}

type Ports = Parameters<typeof createDesk>[0]

function laneOf(ports: Ports) {
  return batched(
    COMMANDS_MAX,
    (requests: readonly DeskRequest[]) => take(ports, requests),
    ({ commands }) => commands.length,
  )
}

async function take(ports: Ports, requests: readonly DeskRequest[]): Promise<readonly (readonly Outcome[])[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      const outcomes = await factsTransaction(ports.database, (tx) => decideAll(tx, requests), {
        role: roleOf('ledger'),
      })
      ports.wakeups.wake([entryPosted.topic])
      return outcomes
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !isOvertaken(error)) throw error
    }
  }
}

async function decideAll(tx: Parameters<typeof openBook>[0], requests: readonly DeskRequest[]) {
  const [whose] = requests
  if (!whose) return { result: [], facts: [] }
  const open = await openBook(tx, whose, scopeOf(requests.flatMap(({ commands }) => commands)))
  const nameEntry = (source: string): string => entryId(whose, source)
  const result = requests.map(({ commands, isLinked, isDryRun = false }) => {
    const book = isDryRun ? open.book.draft() : open.book
    return isLinked ? decideLinked(book, commands, nameEntry) : commands.map((one) => decide(book, one, nameEntry))
  })
  const changes = open.book.changes()
  const { entries, holds, schedules } = changes
  if (entries.length + holds.length + schedules.length === 0) return { result, facts: [] }
  const causes = causesOf(requests, result)
  const askedFor = (name: string): Asked => causes.get(name) ?? whose
  const { facts, timers } = factsOf(whose, changes, (id) => !open.holds.has(id), askedFor, open.now)
  const posted = new Map(facts.flatMap((fact) => (fact.of === entryPosted ? [[fact.key, fact.id]] : [])))
  await writeBook(tx, whose, open, ({ source }) => ({
    eventId: posted.get(source) ?? postedEventId(whose, source),
    traceparent: askedFor(source).traceparent,
  }))
  await addConversions(tx, whose, entries)
  await writeSchedules(tx, whose, open)
  await addTemplates(tx, whose, changes.entries)
  return { result, facts, timers }
}

/** Who asked for what was done, by the names of its effects: who was refused under the same name has caused nothing. */
function causesOf(requests: readonly DeskRequest[], results: readonly (readonly Outcome[])[]): Map<string, Asked> {
  const causes = new Map<string, Asked>()
  for (const [n, request] of requests.entries()) {
    for (const [place, command] of request.commands.entries()) {
      const outcome = results[n]?.[place]
      if (request.isDryRun || outcome?.status !== 'done' || outcome.isRepeated) continue
      if (command.kind !== 'hold') causes.set(entrySource(command.id), request)
      if (command.kind === 'hold') causes.set(holdKey(command.id), request)
      else if ('hold' in command) causes.set(holdKey(command.hold), request)
    }
  }
  return causes
}

/** What commands are about to touch. */
export function scopeOf(commands: readonly Command[]): Scope {
  const accounts = new Set<string>()
  const sources = new Set<string>()
  const holds = new Set<string>()
  for (const command of commands) {
    if (command.kind !== 'hold') sources.add(entrySource(command.id))
    if (command.kind === 'entry') for (const { account } of command.postings) accounts.add(account)
    if (command.kind === 'reversal') sources.add(command.entry)
    if (command.kind === 'hold') holds.add(command.id)
    if ('hold' in command) holds.add(command.hold)
    for (const { account } of 'conditions' in command ? command.conditions : []) accounts.add(account)
    for (const { debit, credit } of transfersOf(command)) accounts.add(debit).add(credit)
  }
  return { accounts, sources, holds }
}

function transfersOf(command: Command) {
  if (command.kind === 'entry') return command.transfers
  return command.kind === 'hold' ? [command.transfer] : []
}

/** Whether another process was first. A deadlock is one that was: all of it is undone, and decided anew. */
function isOvertaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '40001' || error.code === '40P01')
}
