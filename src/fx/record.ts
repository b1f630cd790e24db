import type { Database, Tx } from '#kernel/database'
import { base32 } from '#kernel/digest'
import { brandId, type TenantId } from '#kernel/ids'
import { invariant } from '#kernel/invariant'
import type { Random } from '#kernel/random'
import { type EventType, factsTransaction, type NewEvent, roleOf, type Wakeups } from '#log'
import { type DatedRate, mistakeIn } from './dated-rate.ts'
import { rateReplaced, ratesRecorded } from './events.ts'
import * as sql from './sql.ts'

/** Whose rates they are: a tenant's in a mode, or the installation's, which every tenant uses. */
export type RateOwner = { readonly tenant: string; readonly mode: 'test' | 'live' } | 'installation'

export type Recording = {
  readonly owner: RateOwner
  /** As in `ecb`. */
  readonly source: string
  readonly rates: readonly DatedRate[]
  /** What says another rate than is known replaces it. */
  readonly isReplacing: boolean
  /** What asked for it; absent: nothing that is traced. */
  readonly traceparent?: string
}

export type Recorded = {
  readonly added: number
  readonly replaced: number
  readonly unchanged: number
  /** What would have had to be replaced: when there is any, and it was not to be, nothing was recorded. */
  readonly changed: readonly sql.ChangedRow[]
}

export type RecordRates = (recording: Recording) => Promise<Recorded>

/** Rates of one transaction: bounds how long they are locked. */
const CHUNK = 5_000

/**
 * Keeps rates. Safe to repeat: one that is known is left as it is. A rate that says something else than is known is told
 * of, and nothing is recorded, unless it is to be replaced: then the replacement is an event.
 */
export function createRecordRates(ports: {
  readonly database: Database
  readonly wakeups: Wakeups
  readonly random: Random
}): RecordRates {
  const { database, wakeups, random } = ports
  return async (recording) => {
    const { isReplacing } = recording
    for (const dated of recording.rates)
      invariant(mistakeIn(dated) === undefined, 'a rate is checked before it is kept')
    const all = distinct(recording.rates)
    const differing = await differingIn(database, recording, all)
    const changed = differing.filter(isChanged)
    if (!isReplacing && changed.length > 0) return { added: 0, replaced: 0, unchanged: 0, changed }
    let [added, replaced] = [0, 0]
    for (const rates of chunksOf(differing.map(rateIn))) {
      const one = await recordChunk(database, random, recording, rates)
      // Somebody recorded it since we looked.
      if (one.changed.length > 0) return { added, replaced, unchanged: 0, changed: one.changed }
      added += one.added
      replaced += one.replaced
    }
    wakeups.wake([ratesRecorded.topic])
    return { added, replaced, unchanged: all.length - added - replaced, changed: [] }
  }
}

/** Before anything is written: a file is taken whole or not at all. */
async function differingIn(
  database: Database,
  { owner, source }: Recording,
  all: readonly DatedRate[],
): Promise<sql.DifferingRow[]> {
  const options = { role: roleOf('fx'), readOnly: true }
  const differing: sql.DifferingRow[] = []
  for (const rates of chunksOf(all)) {
    const read = (tx: Tx) => sql.differingRates(tx, rowOwner(owner), source, rates)
    differing.push(...(await database.transaction(options, read)))
  }
  return differing
}

function isChanged(row: sql.DifferingRow): row is sql.ChangedRow {
  return row.before !== null
}

function rateIn({ base, currency, day, after }: Omit<sql.DifferingRow, 'before'>): sql.RateRow {
  return { base, currency, day, rate: after }
}

function recordChunk(database: Database, random: Random, recording: Recording, rates: readonly sql.RateRow[]) {
  const { source, isReplacing } = recording
  const owner = rowOwner(recording.owner)
  return factsTransaction(
    database,
    async (tx) => {
      await sql.lockRates(tx)
      const changed = (await sql.differingRates(tx, owner, source, rates)).filter(isChanged)
      if (!isReplacing && changed.length > 0) return { result: { added: 0, replaced: 0, changed }, facts: [] }
      const added = await sql.addRates(tx, owner, source, rates)
      if (changed.length > 0) await sql.replaceRates(tx, owner, source, changed.map(rateIn))
      const [from = '', through = ''] = [minOf(added), maxOf(added)]
      const about = { source, rates: added.length, from, through }
      const facts = [
        ...(added.length > 0 ? [factOf(recording, ratesRecorded, about, random)] : []),
        ...changed.map((one) => factOf(recording, rateReplaced, { source, ...one }, random)),
      ]
      return { result: { added: added.length, replaced: changed.length, changed: [] }, facts }
    },
    { role: roleOf('fx') },
  )
}

function minOf(days: readonly string[]): string | undefined {
  return days.reduce<string | undefined>((least, day) => (least === undefined || day < least ? day : least), undefined)
}

function maxOf(days: readonly string[]): string | undefined {
  return days.reduce<string | undefined>((most, day) => (most === undefined || day > most ? day : most), undefined)
}

/** What the installation does is told under its own name, as its secrets are kept. */
const INSTALLATION = { tenant: 'installation', mode: 'live' } as const

function rowOwner(owner: RateOwner): sql.Owner {
  return owner === 'installation' ? { tenant: '', mode: '' } : owner
}

function factOf<Data>(
  { owner, source, traceparent }: Recording,
  of: EventType<string, Data>,
  data: NoInfer<Data>,
  random: Random,
): NewEvent {
  const { tenant, mode } = owner === 'installation' ? INSTALLATION : owner
  const id = `evt_${base32(random.bytes(17))}`
  return {
    id,
    of,
    key: `fx/${source}`,
    tenant: brandId<TenantId>(tenant),
    mode,
    traceparent: traceparent ?? `00-${random.bytes(16).toString('hex')}-${random.bytes(8).toString('hex')}-01`,
    causationId: null,
    correlationId: id,
    data,
  }
}

/** Of a pair and day that comes twice, the last. */
function distinct(rates: readonly DatedRate[]): DatedRate[] {
  return [...new Map(rates.map((dated) => [`${dated.base}\n${dated.currency}\n${dated.day}`, dated])).values()]
}

function chunksOf<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / CHUNK) }, (_, n) => items.slice(n * CHUNK, (n + 1) * CHUNK))
}
