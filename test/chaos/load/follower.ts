import { request } from 'undici'
import { isObject, textAt } from '#gateways/stripe'
import { systemClock } from '#kernel/clock'
import type { Told } from '../audit/evidence.ts'

export type Follower = {
  /** Resolves once it listens: what happens from then on is its to hear. */
  readonly isListening: Promise<void>
  /** Events it has been told of. */
  heard(): number
  stop(): Promise<Told>
}

const PAUSE_MS = 200

/** Follows server-sent events; after each break it goes on at another process by its last id. */
export function startFollower(urls: readonly string[], apiKey: string): Follower {
  const told = new Map<string, string[]>()
  const stopping = new AbortController()
  const listening = Promise.withResolvers<void>()
  let [count, lastId, turn] = [0, '', 0]

  const hear = (message: string): void => {
    const fields = new Map(message.split('\n').map((line) => pairOf(line)))
    const [id, data] = [fields.get('id'), fields.get('data')]
    if (id !== undefined) {
      lastId = id
      listening.resolve()
    }
    const event: unknown = data === undefined ? undefined : JSON.parse(data)
    const [name, subject] = isObject(event) ? [textAt(event, 'id'), textAt(event, 'subject')] : []
    if (name === undefined || subject === undefined) return
    count++
    const events = told.get(subject)
    if (events) events.push(name)
    else told.set(subject, [name])
  }
  const read = async (): Promise<void> => {
    const headers = { authorization: `Bearer ${apiKey}`, accept: 'text/event-stream' }
    const { body, statusCode } = await request(`${urls[turn++ % urls.length]}/v1/events?type=payment.*`, {
      headers: { ...headers, ...(lastId === '' ? {} : { 'last-event-id': lastId }) },
      signal: stopping.signal,
      headersTimeout: 10_000,
      bodyTimeout: 30_000,
    })
    if (statusCode !== 200) return void (await body.dump())
    let rest = ''
    body.setEncoding('utf8')
    for await (const text of body) {
      const messages = (rest + text).split('\n\n')
      rest = messages.pop() ?? ''
      for (const message of messages) hear(message)
    }
  }
  const follow = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await read().catch(() => {})
      await systemClock.sleep(PAUSE_MS, stopping.signal)
    }
  }
  const following = follow()

  return {
    isListening: listening.promise,
    heard: () => count,
    async stop() {
      stopping.abort()
      await following
      return told
    },
  }
}

function pairOf(line: string): [string, string] {
  const colon = line.indexOf(':')
  return colon === -1 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trimStart()]
}
