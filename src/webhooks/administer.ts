import { attemptsBelow, cancel, enqueue, hasten } from '#delivery'
import type { Clock } from '#kernel/clock'
import type { Database, Tx } from '#kernel/database'
import { base32 } from '#kernel/digest'
import { Refusal } from '#kernel/errors'
import { brandId, type Mode, type TenantId } from '#kernel/ids'
import type { Random } from '#kernel/random'
import type { AddressGuard } from '#kernel/ssrf'
import { type Door, deliveryGroup, factsTransaction, type NewEvent, type Wakeups } from '#log'
import { checkedUrl } from './address.ts'
import type { Box, Boxes } from './box.ts'
import type { AttemptDetail } from './call.ts'
import * as events from './events.ts'
import { deliveryOf } from './fan-out.ts'
import { DESTINATIONS, deliveryId, destinationOf, idsOf, messagePrefix, sequenceOf } from './message-id.ts'
import { occurrence } from './occurrence.ts'
import { unknownPattern } from './patterns.ts'
import { NEWEST_VERSION, type PayloadVersion } from './payload.ts'
import { ENDPOINTS_CHANGED } from './run.ts'
import { newSecret } from './signature.ts'
import * as endpoints from './sql/endpoints.ts'
import * as messages from './sql/messages.ts'
import { attemptView, endpointView, messageView } from './view.ts'

/** Endpoints of a tenant in one mode. */
const ENDPOINTS_MAX = 100
export const OVERLAP_DEFAULT_S = 24 * 60 * 60

export type AdminPorts = {
  readonly work: Database
  readonly read: Database
  readonly clock: Clock
  readonly random: Random
  readonly boxes: Boxes
  readonly guard: AddressGuard
  readonly door: Pick<Door, 'append'>
  readonly wakeups: Wakeups
  /** Names of the event types that can be subscribed to. */
  readonly types: readonly string[]
}

export type Whose = { readonly tenant: string; readonly mode: Mode }
export type EndpointRef = Whose & { readonly id: string }
/** Who asked: their trace goes on in what follows. */
export type Asked = { readonly traceparent: string }

export type EndpointSettings = {
  readonly url: string
  readonly events: readonly string[]
  readonly description?: string
  readonly rate_limit?: number | null
  readonly version?: PayloadVersion
}
export type EndpointPatch = Partial<EndpointSettings> & { readonly status?: 'enabled' | 'disabled' }

/** What the owner of endpoints can do. What changes an endpoint tells so by a fact, in one transaction. */
export function createAdmin(ports: AdminPorts) {
  const { work, read, clock, random, boxes, wakeups, door } = ports

  return {
    async create(whose: Whose, settings: EndpointSettings, { traceparent }: Asked) {
      check(settings, whose.mode)
      const id = `we_${base32(random.bytes(17))}`
      const secret = newSecret(random)
      const { url, description = '', version = NEWEST_VERSION } = settings
      const content: Box = { url, description, secrets: [{ value: secret, until: null }] }
      const box = await boxes.sealBox({ ...whose, id }, content)
      const patterns = settings.events
      const row = await factsTransaction(work, async (tx) => {
        if ((await endpoints.countOf(tx, whose)) >= ENDPOINTS_MAX) throw new Refusal('webhook_endpoints_too_many')
        const rate_limit = settings.rate_limit ?? null
        const result = await endpoints.create(tx, { ...whose, id, version, patterns, box, rate_limit })
        const about = { patterns: [...patterns], version }
        return {
          result,
          facts: [occurrence(events.endpointCreated, { ...whose, id }, about, { random, traceparent })],
        }
      })
      changed(events.endpointCreated.topic)
      if (!row) throw new Refusal('internal')
      return { ...endpointView(row, content, undefined, clock.now()), secret }
    },

    async list(whose: Whose, after: string, limit: number) {
      return viewsOf(await endpoints.list(read, whose, after, limit))
    },

    async get(ref: EndpointRef) {
      const [view] = await viewsOf([await found(ref)])
      if (!view) throw notFound()
      return view
    },

    async change(ref: EndpointRef, patch: EndpointPatch, { traceparent }: Asked) {
      check(patch, ref.mode)
      await changing(ref, async (tx, row) => {
        const facts: NewEvent[] = []
        const fields = Object.keys(patch).filter((name) => name !== 'status')
        if (fields.length > 0) {
          const content = await boxes.openBox(row, row.box)
          const { url = content.url, description = content.description, version = row.version } = patch
          const box = await boxes.sealBox(row, { ...content, url, description })
          const patterns = patch.events ?? row.patterns
          const rate_limit = patch.rate_limit === undefined ? row.rate_limit : patch.rate_limit
          await endpoints.change(tx, { id: row.id, patterns, box, rate_limit, version })
          facts.push(occurrence(events.endpointChanged, row, { fields: fields.sort() }, { random, traceparent }))
        }
        if (patch.status !== undefined) facts.push(...(await switched(tx, row, patch.status, traceparent)))
        return facts
      })
      return this.get(ref)
    },

    /** What is open is taken back, its secrets are destroyed, and its id is never used again. */
    remove: (ref: EndpointRef, { traceparent }: Asked) =>
      changing(ref, async (tx, row) => {
        await messages.lockPosition(tx, row.id, destinationOf(row.id))
        await endpoints.remove(tx, row.id)
        await cancel(tx, destinationOf(row.id), idsOf(row.id))
        return [occurrence(events.endpointDeleted, row, {}, { random, traceparent })]
      }),

    /** A new secret. The one before signs beside it for a while, so that the receiver can change over in between. */
    async rotateSecret(ref: EndpointRef, overlapSeconds: number, { traceparent }: Asked): Promise<string> {
      const secret = newSecret(random)
      await changing(ref, async (tx, row) => {
        const now = clock.now()
        const content = await boxes.openBox(row, row.box)
        const end = now + overlapSeconds * 1000
        const old = content.secrets
          .map(({ value, until }) => ({ value, until: Math.min(until ?? end, end) }))
          .filter(({ until }) => until > now)
        const box = await boxes.sealBox(row, { ...content, secrets: [{ value: secret, until: null }, ...old] })
        await endpoints.change(tx, { ...row, box })
        return [occurrence(events.endpointChanged, row, { fields: ['secret'] }, { random, traceparent })]
      })
      return secret
    },

    /** On the log, from where it takes the way of every other event. */
    async test(ref: EndpointRef, { traceparent }: Asked): Promise<{ event: string }> {
      const event = occurrence(events.endpointTested, await found(ref), {}, { random, traceparent })
      await door.append([event])
      return { event: event.id }
    },

    /**
     * Goes on after a message that its owner has pulled: what is open up to it is taken back, and what waits behind it
     * is sent. Enables the endpoint. Without `after` nothing is passed over.
     */
    async resume(ref: EndpointRef, after: number | undefined, { traceparent }: Asked) {
      await changing(ref, async (tx, row) => {
        const position = await positionOf(tx, row.id, after)
        if (after !== undefined && after > 0) {
          await cancel(tx, destinationOf(row.id), idsOf(row.id, after))
          const pushed = Math.max(position.pushed, after)
          await messages.setPushed(tx, { endpoint: row.id, pushed, added: 0, round: position.round })
        }
        return switched(tx, row, 'enabled', traceparent)
      })
      return this.get(ref)
    },

    /** Sends everything after a message once more, in order: as much at a time as may be open. */
    async replay(ref: EndpointRef, from: { after: number } | { since: number }) {
      const row = await found(ref)
      const after = 'after' in from ? from.after : await lastBefore(row.id, from.since)
      let last = 0
      await changing(ref, async (tx) => {
        const position = await positionOf(tx, row.id, after)
        if (after < position.last) checkKept(position, after)
        last = position.last
        // Of what is still open the repetition takes the place.
        const beyond = { from: messagePrefix(row.id, after + 1), to: idsOf(row.id).to }
        await cancel(tx, destinationOf(row.id), beyond)
        if (after < last) {
          await messages.setPushed(tx, { endpoint: row.id, pushed: after, added: 0, round: position.round + 1 })
        }
        return []
      })
      return { after, through: last }
    },

    /** Sends one message once more, now: it waits for no other, and none for it. */
    async resend(ref: EndpointRef, sequence: number): Promise<void> {
      const row = await found(ref)
      const [message] = await messages.loadMessages(read, [{ endpoint: row.id, sequence }])
      if (!message) throw new Refusal('webhook_message_not_found', { field: 'sequence' })
      await changing(ref, async (tx) => {
        const { pushed, round } = await positionOf(tx, row.id, undefined)
        const id = deliveryId(row.id, sequence, `s${base32(random.bytes(8), 12)}`)
        const whose = { tenant: brandId<TenantId>(row.tenant), mode: row.mode }
        await enqueue(tx, [{ ...deliveryOf(message, whose, round), id, key: `resend/${id}` }])
        await messages.setPushed(tx, { endpoint: row.id, pushed, added: 1, round })
        return []
      })
    },

    async pull(ref: EndpointRef, after: number, limit: number) {
      const row = await found(ref)
      const page = await messages.messagesAfter(read, row.id, after, limit + 1)
      // Looked at after the page: what is dropped before it was read is dropped by now.
      const [position] = await messages.positions(read, [row.id], destinationOf)
      if (position && after < position.last) checkKept(position, after)
      const data = page.slice(0, limit).map(messageView)
      return { data, has_more: page.length > limit, next_after: data.at(-1)?.sequence ?? after }
    },

    /** Newest message first, and of a message the latest attempt. `below` is where the page before ended. */
    async attempts(ref: EndpointRef, about: { sequence?: number; below?: [string, number]; limit: number }) {
      const row = await found(ref)
      const bounds = about.sequence === undefined ? idsOf(row.id) : oneMessage(row.id, about.sequence)
      const [below, attempt] = about.below ?? [bounds.to, 0]
      const rows = await attemptsBelow(read, { from: bounds.from, below, attempt, limit: about.limit })
      const refs = rows.map(({ delivery_id: id }) => ({ endpoint: row.id, sequence: sequenceOf(id) }))
      const sent = await messages.loadMessages(read, refs)
      const sealed = rows.map(({ detail }) => (JSON.parse(detail ?? '{}') as AttemptDetail).answer)
      const opened = await boxes.openAnswers(
        row,
        sealed.filter((text) => text !== undefined),
      )
      const answers = sealed.map((text) => (text === undefined ? undefined : opened.shift()))
      const data = rows.map((one, place) => attemptView(one, sent[place], answers[place]))
      const last = rows.at(-1)
      const next: [string, number] | undefined = last && [last.delivery_id, last.attempt]
      return { data, next: rows.length < about.limit ? undefined : next }
    },
  }

  function check({ url, events: patterns }: EndpointPatch, mode: Mode): void {
    if (url !== undefined) checkedUrl(url, mode, ports.guard)
    if (patterns !== undefined && unknownPattern(patterns, ports.types) !== undefined) {
      const detail = `events must name event types, or begin one and end in *: ${ports.types.join(', ')}`
      throw new Refusal('body_invalid', { field: 'events', detail })
    }
  }

  async function found(ref: EndpointRef): Promise<endpoints.EndpointRow> {
    const row = await endpoints.find(read, ref)
    if (!row) throw notFound()
    return row
  }

  async function viewsOf(rows: readonly endpoints.EndpointRow[]) {
    const ids = rows.map(({ id }) => id)
    const positions = new Map((await messages.positions(read, ids, destinationOf)).map((one) => [one.endpoint, one]))
    return Promise.all(
      rows.map(async (row) => endpointView(row, await boxes.openBox(row, row.box), positions.get(row.id), clock.now())),
    )
  }

  /** Changes of an endpoint take turns, each with the facts that tell of it. */
  async function changing(
    ref: EndpointRef,
    work_: (tx: Tx, row: endpoints.EndpointRow) => Promise<readonly NewEvent[]>,
  ): Promise<void> {
    await factsTransaction(work, async (tx) => {
      const row = await endpoints.lock(tx, ref)
      if (!row) throw notFound()
      return { result: undefined, facts: await work_(tx, row) }
    })
    changed(events.endpointChanged.topic)
  }

  async function switched(tx: Tx, row: endpoints.EndpointRow, to: 'enabled' | 'disabled', traceparent: string) {
    const about = { random, traceparent }
    if (to === 'disabled') {
      const isNew = await endpoints.disable(tx, row.id, 'by_hand')
      return isNew ? [occurrence(events.endpointDisabled, row, { reason: 'by_hand' }, about)] : []
    }
    const isNew = await endpoints.enable(tx, row.id, null)
    await hasten(tx, destinationOf(row.id))
    return isNew ? [occurrence(events.endpointEnabled, row, { by: 'hand' }, about)] : []
  }

  async function positionOf(tx: Tx, id: string, after: number | undefined): Promise<messages.Position> {
    const position = await messages.lockPosition(tx, id, destinationOf(id))
    if (!position) throw notFound()
    if (after !== undefined && after > position.last) {
      const detail = `after must be at most ${position.last}, the last sequence there is`
      throw new Refusal('body_invalid', { field: 'after', detail })
    }
    return position
  }

  /** What is left out at the beginning would be a gap that nobody is told of. */
  function checkKept({ keptFrom }: messages.Position, after: number): void {
    const detail = `after must be at least ${keptFrom - 1}: messages before ${keptFrom} are dropped`
    if (after < keptFrom - 1) throw new Refusal('webhook_messages_dropped', { field: 'after', detail })
  }

  /** The last message written before an instant: sequences grow with time, so halving finds it. */
  async function lastBefore(id: string, at: number): Promise<number> {
    const [position] = await messages.positions(read, [id], destinationOf)
    const dropped = (position?.keptFrom ?? 1) - 1
    let [before, from] = [dropped, (position?.last ?? 0) + 1]
    while (from - before > 1) {
      const middle = Math.floor((before + from) / 2)
      const writtenAt = await messages.writtenAt(read, id, middle)
      if (writtenAt !== undefined && writtenAt >= at) from = middle
      else before = middle
    }
    // All that is kept is as young: what is dropped may have been too.
    return before === dropped && dropped > 0 ? dropped - 1 : before
  }

  function changed(topic: string): void {
    wakeups.wake([ENDPOINTS_CHANGED, deliveryGroup(DESTINATIONS), topic])
  }
}

function oneMessage(endpoint: string, sequence: number): { from: string; to: string } {
  return { from: messagePrefix(endpoint, sequence), to: messagePrefix(endpoint, sequence + 1) }
}

function notFound(): Refusal {
  return new Refusal('webhook_endpoint_not_found', { field: 'id' })
}

export type Admin = ReturnType<typeof createAdmin>
