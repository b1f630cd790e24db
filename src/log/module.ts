import type { Database, Tx } from '#kernel/database'
import type { EventOf, EventType, NewEvent } from './event.ts'

/** What leaves the house: a call to a destination, made at least once, in order per key. */
export type NewDelivery = {
  /** Pure function of what it does: offered twice, it is one delivery. */
  readonly id: string
  readonly destination: string
  /** Deliveries of one destination and key go one after the other; others do not wait for them. */
  readonly key: string
  /** JSON; personal fields sealed. */
  readonly payload: unknown
  /** Unix milliseconds after which the call must not be made any more. */
  readonly notAfter: number | null
  /** The event that asked for it: tenant, mode and trace are taken from it. */
  readonly cause: Pick<NewEvent, 'id' | 'tenant' | 'mode' | 'traceparent' | 'correlationId'>
}

export type TimerChange =
  | { readonly schedule: { readonly id: string; readonly at: number; readonly event: NewEvent } }
  | { readonly cancel: string }

/** What a decider decided. The loop writes it, with the offset, in the transaction the decider ran in. */
export type Decision = {
  readonly facts?: readonly NewEvent[]
  readonly timers?: readonly TimerChange[]
  readonly deliveries?: readonly NewDelivery[]
}

export type HandlerContext = {
  readonly tx: Tx
  /** Unix milliseconds. */
  readonly now: number
}

type Reads = readonly EventType[]

/** Runs once per event; may use state, ports and the clock; its decision is facts that carry all they need. */
export type Decider = {
  readonly kind: 'decider'
  readonly name: string
  readonly reads: Reads
  readonly publishes: readonly EventType[]
  readonly handle: (events: readonly never[], context: HandlerContext) => Promise<Decision>
}

/** A pure fold of facts into tables of its own. It cannot publish, schedule or deliver, and knows no time. */
export type Projection = {
  readonly kind: 'projection'
  readonly name: string
  readonly reads: Reads
  readonly tables: readonly string[]
  readonly fold: (events: readonly never[], tx: Tx) => Promise<void>
}

export function decider<const Types extends Reads>(definition: {
  name: string
  reads: Types
  publishes: readonly EventType[]
  handle: (events: readonly EventOf<Types[number]>[], context: HandlerContext) => Promise<Decision>
}): Decider {
  return { kind: 'decider', ...definition }
}

export function projection<const Types extends Reads>(definition: {
  name: string
  reads: Types
  tables: readonly string[]
  fold: (events: readonly EventOf<Types[number]>[], tx: Tx) => Promise<void>
}): Projection {
  return { kind: 'projection', ...definition }
}

/** What a page or `millrace show` is about: one payment, or one account of the ledger. */
export type Subject = { readonly tenant: string; readonly mode: string; readonly id: string }

/** What a module shows about one id. A page composes the facets of all modules; nothing of it is personal. */
export type Facet = {
  readonly about: 'payment' | 'account'
  readonly name: string
  /** One record a line; none where the module knows nothing of it. */
  show(database: Database, subject: Subject): Promise<readonly Readonly<Record<string, unknown>>[]>
}

/**
 * A capability: what it owns, reads and publishes. Wiring, access rules, topology and the AsyncAPI
 * document derive from it.
 */
export type Module = {
  readonly name: string
  readonly summary: string
  /** Event types it owns: nobody else publishes them. */
  readonly events: readonly EventType[]
  /** Event types the door or other modules may put into its inbox. */
  readonly accepts?: readonly EventType[]
  readonly deciders?: readonly Decider[]
  readonly projections?: readonly Projection[]
  readonly facets?: readonly Facet[]
  /** Destinations it delivers to, by name. */
  readonly destinations?: readonly string[]
  /** Folder of numbered SQL files on the module's own schema. */
  readonly migrations?: URL
}

/** PostgreSQL role under which a module's statements run. */
export function roleOf(module: string): string {
  return `millrace_${module}`
}

/** The consumer group of a decider or projection. */
export function groupOf(module: string, consumer: string): string {
  return `${module}.${consumer}`
}

/** The group whose lease is needed to deliver to a destination: all of `webhooks/…` share one. */
export function deliveryGroup(destination: string): string {
  return `delivery:${destination.split('/', 1)[0]}`
}
