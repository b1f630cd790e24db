import type { Database, Tx } from '#kernel/database'
import { base32 } from '#kernel/digest'
import { brandId, type TenantId } from '#kernel/ids'
import type { Random } from '#kernel/random'
import { maskPersonal } from '#kernel/telemetry-mask'
import { checkData, EventInvalid } from './codec.ts'
import { applyEdit, type Change, type Edit } from './edit.ts'
import type { EventType, NewEvent } from './event.ts'
import { factsTransaction } from './fenced.ts'
import type { Module } from './module.ts'
import { parkedEventDiscarded, parkedEventEdited, retryRequested } from './operations.ts'
import { type ParkedEvent, requestRetry } from './parked.ts'
import { editParked, lockParked, type ParkedName, parkedKeysAfter, parkedOne } from './redrive-sql.ts'
import { consumersOf } from './runtime.ts'
import * as sql from './sql.ts'
import type { Consumer } from './step.ts'

/** Who acts and why. A dry run looks under the same lock as the act, and writes nothing. */
export type Act = { readonly by: string; readonly reason?: string; readonly isDryRun: boolean }

/** A parked event of a key: the named one, else the first, which is the one that failed. */
export type ParkedTarget = ParkedName & { readonly event?: string }

export type RedriveOutcome =
  | { readonly status: 'done'; readonly event: ParkedEvent; readonly changes: readonly Change[]; readonly left: number }
  | { readonly status: 'not_parked' }
  | { readonly status: 'refused'; readonly why: string }

/**
 * What people do about parked events. Each act is one transaction with its event on the log, under the lock of the group's
 * checkpoint: a batch, a retry and an act on the same key come one after the other, in whatever processes, and what
 * dies on the way has done nothing.
 */
export function createRedrive(database: Database, random: Random, modules: readonly Module[]) {
  const consumers = new Map(modules.flatMap(consumersOf).map((consumer) => [consumer.group, consumer]))
  const acting = { database, random }
  return {
    /** Has the group's process handle keys anew, of a group or of all: each is marked, with its event. */
    retry: (of: { group: string | null; key: string | null }, act: Act) => retryAll(acting, of, act),
    /** Changes an event's data where it stands in its key's queue. What it was stays, in the queue and on the log. */
    edit: (target: ParkedTarget, edit: Edit, act: Act) =>
      change(acting, target, act, (tx, parked) => editOne(tx, parked, decidedBy(consumers, parked), edit, act)),
    /** Takes an event out of its key's queue for good. The next is tried when it is asked for; an empty queue lets the key go. */
    discard: (target: ParkedTarget, act: Act) =>
      change(acting, target, act, (tx, parked) => discardOne(tx, parked, decidedBy(consumers, parked), act)),
  }
}

async function editOne(tx: Tx, parked: Parked, decided: Decided, edit: Edit, act: Act): Promise<Changed> {
  if (decided.status === 'refused') return decided
  const { event } = parked
  const edited = applyEdit(event.event.data, edit, decided.of.sealed)
  if (edited.status === 'refused') return edited
  const { data, changes } = edited
  const why = whatIsWrong(decided.of, event, data)
  if (why !== undefined) return { status: 'refused', why }
  if (!act.isDryRun) await editParked(tx, parked, event.sequence, JSON.stringify({ ...event.event, data }))
  return { status: 'done', changes, of: parkedEventEdited, data: { ...placeOf(event), changes } }
}

async function discardOne(tx: Tx, { group, key, event }: Parked, decided: Decided, act: Act): Promise<Changed> {
  if (decided.status === 'refused') return decided
  if (!act.isDryRun) {
    await sql.unpark(tx, group, key, [event.sequence])
    await sql.releaseKey(tx, group, key)
    await spendTimer(tx, event)
  }
  return { status: 'done', changes: [], of: parkedEventDiscarded, data: placeOf(event) }
}

/** Whether a reason may stand on the log in clear, for good: short, plain, and nothing that looks like a person's. */
export function isReason(text: string): boolean {
  return /^[\p{L}\p{N}][\p{L}\p{N} .,:;#()/_'-]{2,199}$/u.test(text) && maskPersonal(text) === text
}

type Acting = { readonly database: Database; readonly random: Random }
type Parked = ParkedName & { readonly event: ParkedEvent }
type Changed =
  | { readonly status: 'done'; readonly changes: readonly Change[]; readonly of: EventType; readonly data: object }
  | { readonly status: 'refused'; readonly why: string }

function change(
  { database, random }: Acting,
  { group, key, event: wanted }: ParkedTarget,
  act: Act,
  work: (tx: Tx, parked: Parked) => Promise<Changed>,
): Promise<RedriveOutcome> {
  return factsTransaction<RedriveOutcome>(database, async (tx) => {
    const event = await lockedEvent(tx, { group, key }, wanted ?? null)
    if (!event) return { result: { status: 'not_parked' }, facts: [] }
    const changed = await work(tx, { group, key, event })
    if (changed.status === 'refused') return { result: changed, facts: [] }
    const { of, data, changes } = changed
    const fact = factAbout(event, random, { of, key, data: { group, ...data, ...whoOf(act) } })
    const left = of === parkedEventDiscarded ? event.queued - 1 : event.queued
    return { result: { status: 'done', event, changes, left }, facts: act.isDryRun ? [] : [fact] }
  })
}

export type Retried = ParkedName & { readonly events: number }

async function retryAll(
  { database, random }: Acting,
  of: { group: string | null; key: string | null },
  act: Act,
): Promise<Retried[]> {
  const retried: Retried[] = []
  for (let after: ParkedName | undefined = { group: '', key: '' }; after; ) {
    const names: readonly ParkedName[] = await parkedKeysAfter(database, of, after)
    for (const name of names) retried.push(...(await retryOne(database, random, name, act)))
    after = names.at(-1)
  }
  return retried
}

function retryOne(database: Database, random: Random, { group, key }: ParkedName, act: Act): Promise<Retried[]> {
  return factsTransaction<Retried[]>(database, async (tx) => {
    const first = await lockedEvent(tx, { group, key }, null)
    if (!first) return { result: [], facts: [] }
    const result = [{ group, key, events: first.queued }]
    if (act.isDryRun) return { result, facts: [] }
    await requestRetry(tx, group, key)
    const data = { group, events: first.queued, ...whoOf(act) }
    return { result, facts: [factAbout(first, random, { of: retryRequested, key, data })] }
  })
}

async function lockedEvent(tx: Tx, of: ParkedName, event: string | null) {
  return (await lockParked(tx, of.group, of.key)) ? parkedOne(tx, of, event) : undefined
}

type Decided =
  | { readonly status: 'known'; readonly of: EventType }
  | { readonly status: 'refused'; readonly why: string }

/** The event's type as a decider reads it. A projection is the fold of its facts as they are: made to skip or change one, it would be another. */
function decidedBy(consumers: ReadonlyMap<string, Consumer>, { group, event: { event } }: Parked): Decided {
  const consumer = consumers.get(group)
  const of = consumer?.types.get(String(event.type))
  if (!consumer || !of)
    return { status: 'refused', why: `no module of this installation reads ${event.type} as ${group}` }
  if (!consumer.spendsTimers) {
    const why = `${group} is a projection: it folds what is on the log as it is. Repair the code, then retry`
    return { status: 'refused', why }
  }
  if (Number(event.version) <= of.version) return { status: 'known', of }
  return { status: 'refused', why: `the event is newer than this version of Millrace: use the one that wrote it` }
}

function whatIsWrong(of: EventType, { event }: ParkedEvent, data: unknown): string | undefined {
  try {
    checkData(of, { id: String(event.id), type: String(event.type), version: Number(event.version) }, data)
    return undefined
  } catch (error) {
    if (error instanceof EventInvalid) return error.message
    throw error
  }
}

/** The timer of a firing that nobody will take any more. */
async function spendTimer(tx: Tx, { event }: ParkedEvent): Promise<void> {
  const { timer_id: id, timer_generation: generation } = event
  if (typeof id === 'string') await sql.spendTimers(tx, [{ id, generation: BigInt(String(generation)) }])
}

function placeOf({ event }: ParkedEvent) {
  const { id, type, topic, partition, offset } = event
  return { event: id, type, topic, partition, offset: Number(offset) }
}

function whoOf({ by, reason }: Act): { by: string; reason?: string } {
  return reason === undefined ? { by } : { by, reason }
}

/** About a parked event, so of its tenant and mode; a trace of its own, as it begins with a person. */
function factAbout(
  { event }: ParkedEvent,
  random: Random,
  { of, key, data }: { of: EventType; key: string; data: object },
): NewEvent {
  const id = `evt_${base32(random.bytes(17))}`
  return {
    id,
    of,
    key,
    tenant: brandId<TenantId>(String(event.tenant)),
    mode: event.mode === 'live' ? 'live' : 'test',
    traceparent: `00-${random.bytes(16).toString('hex')}-${random.bytes(8).toString('hex')}-01`,
    causationId: typeof event.id === 'string' ? event.id : null,
    correlationId: id,
    data,
  }
}
