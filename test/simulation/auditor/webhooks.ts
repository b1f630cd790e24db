import type pg from 'pg'
import { partitionOf } from '#log'
import type { Receiver } from '../outside/receiver.ts'
import { expect } from './expect.ts'

type Fact = {
  readonly id: string
  readonly type: string
  readonly key: string
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

type Written = { readonly sequence: bigint; readonly id: string; readonly key: string; readonly payload: string }

/** Every endpoint was told all that it subscribed to, by the count of its own server: once, in order, without a gap. */
export async function auditWebhooks(admin: pg.Client, receivers: readonly Receiver[]): Promise<void> {
  const { rows: facts } = await admin.query<Fact>(PUBLIC)
  for (const receiver of receivers.filter(({ endpoint }) => endpoint !== '')) {
    const { rows: stream } = await admin.query<Written>(STREAM, [receiver.endpoint])
    auditStream(receiver, stream, facts)
    auditArrivals(receiver, stream)
  }
}

const PUBLIC = `select e.id, e.type, e.key, e.topic, e.partition, e."offset" from log.event e
  where e.topic in ('payments', 'payouts') order by e.topic, e.partition, e."offset"`

const STREAM = `select sequence, event_id as id, key, payload from webhooks.message where endpoint = $1 order by sequence`

/** The stream is what the log has of each partition, from when the endpoint was there, in the log's order. */
function auditStream(
  { endpoint, patterns, isEarly }: Receiver,
  stream: readonly Written[],
  facts: readonly Fact[],
): void {
  const gap = stream.findIndex(({ sequence }, place) => sequence !== BigInt(place + 1))
  expect(gap === -1, `the stream of ${endpoint} has a gap at ${gap + 1}`)
  const wanted = facts.filter(({ type }) => patterns.some((pattern) => isOf(pattern, type)))
  const placeOf = ({ topic, partition }: Fact): string => `${topic}/${partition}`
  const topicOf = new Map(wanted.map((fact) => [fact.id, fact.topic]))
  const written = Map.groupBy(stream, ({ id, key }) => `${topicOf.get(id)}/${partitionOf(key)}`)
  const unknown = stream.filter(({ id }) => !topicOf.has(id))
  expect(unknown.length === 0, `${endpoint} was told of what is not on the log, or not for it: ${unknown[0]?.id}`)
  for (const [place, told] of Map.groupBy(wanted, placeOf)) {
    const ids = written.get(place)?.map(({ id }) => id) ?? []
    const expected = told.map(({ id }) => id).slice(isEarly ? 0 : told.length - ids.length)
    expect(
      ids.join() === expected.join(),
      `the stream of ${endpoint} is not what ${place} has: ${ids.length} of ${told.length}`,
    )
  }
}

/** A message comes after those before it of its payment were taken, and always says the same. */
function auditArrivals({ endpoint, arrivals }: Receiver, stream: readonly Written[]): void {
  const lastOfKey = new Map<string, number>()
  const before = stream.map(({ key }, place) => {
    const last = lastOfKey.get(key)
    lastOfKey.set(key, place)
    return last
  })
  const taken = new Set<number>()
  for (const { sequence, id, body, isTaken } of arrivals) {
    const place = sequence - 1
    const written = stream[place]
    expect(written?.id === id && written.payload === body, `${endpoint} was sent ${id} as ${sequence}, which it is not`)
    const earlier = before[place]
    expect(
      earlier === undefined || taken.has(earlier),
      `${endpoint} was sent ${sequence} before ${(earlier ?? 0) + 1} was taken`,
    )
    if (isTaken) taken.add(place)
  }
  expect(taken.size === stream.length, `${endpoint} has taken ${taken.size} of ${stream.length} messages`)
}

function isOf(pattern: string, type: string): boolean {
  return pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type
}
