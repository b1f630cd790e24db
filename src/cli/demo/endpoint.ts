import { isObject, textAt, valueAt } from '#gateways/stripe'
import type { Receiver } from './receiver.ts'
import { type Asking, getJson, post, type Stage, until } from './stage.ts'
import type { Tally } from './tally.ts'

/** How the merchant's receiver fared, beside what it counted itself. */
export type Heard = {
  readonly tally: Tally
  /** Messages that had to be pulled, because the platform gave up sending them. */
  readonly pulled: number
  /** How far the stream goes, as the platform says. */
  readonly lastSequence: number
  /** How long the receiver was away. */
  readonly awayMs: number
}

const ENDPOINTS = '/v1/webhook-endpoints'
const PULL_LIMIT = 1000
/** How long the receiver is away. Whoever calls it then pauses for five seconds. */
const AWAY_MS = 1_000
/** Before that it takes a few messages and does not get to say so: no longer than this. */
const CRASHING_MS = 2_000

/** Has the platform tell the receiver of everything about payments and payouts. Returns the endpoint's id. */
export async function subscribe(stage: Stage, receiver: Receiver): Promise<string> {
  const body = JSON.stringify({ url: receiver.url, events: ['payment.*', 'payout.*'] })
  const answer = await post(stage, ENDPOINTS, body, { authorization: `Bearer ${stage.apiKey}` })
  const made: unknown = JSON.parse(answer.body)
  const [id, secret] = isObject(made) ? [textAt(made, 'id'), textAt(made, 'secret')] : []
  if (id === undefined || secret === undefined) throw new Error(`no webhook endpoint was made: status ${answer.status}`)
  receiver.trust(secret)
  return id
}

/** Once the receiver has been told so much, it is away for a while. Returns for how long. */
export async function interrupt(stage: Stage, receiver: Receiver, after: number, limitMs: number): Promise<number> {
  const { tally } = receiver
  await until(stage, limitMs, () => tally.counts().different >= after)
  const startedMs = stage.clock.monotonicMs()
  receiver.stopAnswering()
  const answered = tally.counts().different
  await until(stage, CRASHING_MS, () => tally.counts().different > answered)
  await receiver.goDown()
  stage.progress('the receiver of webhooks is down')
  await stage.clock.sleep(AWAY_MS, stage.stopping)
  await receiver.comeBack()
  return stage.clock.monotonicMs() - startedMs
}

/** Pulls what the receiver was not sent, and looks how far the platform says that its stream goes. */
export async function heal(stage: Asking, tally: Tally, endpoint: string, awayMs: number): Promise<Heard> {
  const shown = await getJson(stage, `${ENDPOINTS}/${endpoint}`)
  const lastSequence = isObject(shown) ? Number(valueAt(shown, 'last_sequence')) : 0
  let pulled = 0
  for (let missing = tally.missing(lastSequence); missing[0] !== undefined; missing = tally.missing(lastSequence)) {
    const messages = await pull(stage, endpoint, missing[0] - 1)
    const wanted = messages.filter(({ sequence }) => missing.includes(sequence))
    for (const { sequence, body } of wanted) tally.accepted(sequence, body)
    if (wanted.length === 0) break
    pulled += wanted.length
  }
  return { tally, pulled, lastSequence, awayMs }
}

async function pull(stage: Asking, endpoint: string, after: number): Promise<{ sequence: number; body: string }[]> {
  const page = await getJson(stage, `${ENDPOINTS}/${endpoint}/events?after=${after}&limit=${PULL_LIMIT}`)
  const data = isObject(page) ? valueAt(page, 'data') : []
  const messages = Array.isArray(data) ? data.filter(isObject) : []
  return messages.map((message) => ({
    sequence: Number(valueAt(message, 'sequence')),
    body: JSON.stringify(valueAt(message, 'payload')),
  }))
}
