import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Clock } from '#kernel/clock'
import { Refusal } from '#kernel/errors'
import { covers, type Followed, type Follower, furthest, type Offsets, toCloudEvent } from '#log'

export type Listening = {
  readonly tenant: string
  readonly mode: string
  readonly keyId: string
  /** Where to go on from; what is there already is sent first. */
  readonly from: Offsets
  /** Whether an event of this type is wanted. */
  wants(type: string): boolean
  /** Looked at with every heartbeat: a stream ends with its key. */
  isKeyValid(): boolean
}

export type EventStreams = ReturnType<typeof createEventStreams>

/** Open streams of one key, in this process. */
const STREAMS_PER_KEY_MAX = 20
/** What may wait for a client that reads too slowly; past it the stream ends, and the client resumes by its last id. */
const BUFFER_BYTES_MAX = 1024 * 1024
/** Shorter than the idle time of the proxies in between, most of which give up after 60 seconds. */
const HEARTBEAT_MS = 15_000
/** How long a client waits before it connects again. */
const RETRY_MS = 2_000
/** Events that are written to a client that catches up before it is waited for. */
const CATCH_UP_EVENTS = 128
/** How long a client may take to read the end of its stream. */
const LAST_WORD_MS = 1_000
/** How long a client that is catching up may take to read on. */
const DRAIN_MS = 30_000

type Client = Listening & { readonly response: ServerResponse; offsets: Offsets; isLive: boolean }

/** Sends events to whoever listens, as server-sent events (WHATWG HTML, section 9.2). */
export function createEventStreams(about: {
  readonly follower: Follower
  readonly clock: Clock
  /** The id by which a client of this tenant and mode goes on from these offsets. */
  idOf(whose: { tenant: string; mode: string }, offsets: Offsets): string
}) {
  const { follower, clock, idOf } = about
  const books = new Map<string, Set<Client>>()
  const perKey = new Map<string, number>()
  const closing = new AbortController()
  let following: { readonly ready: Promise<void>; stop(): void } | undefined
  let beating: Promise<void> | undefined

  const add = (client: Client): void => {
    const open = perKey.get(client.keyId) ?? 0
    if (open >= STREAMS_PER_KEY_MAX) throw new Refusal('streams_too_many', { retryAfterSeconds: 60 })
    perKey.set(client.keyId, open + 1)
    const book = books.get(bookOf(client)) ?? new Set()
    books.set(bookOf(client), book.add(client))
    following ??= follower.follow(hear)
    beating ??= beat()
  }

  const remove = (client: Client): void => {
    const book = books.get(bookOf(client))
    if (!book?.delete(client)) return
    if (book.size === 0) books.delete(bookOf(client))
    const open = (perKey.get(client.keyId) ?? 1) - 1
    if (open > 0) perKey.set(client.keyId, open)
    else perKey.delete(client.keyId)
    if (books.size > 0) return
    following?.stop()
    following = undefined
  }

  const hear = (batch: readonly Followed[]): void => {
    const texts = new Map<Client, string>()
    for (const event of batch) tell(event, texts)
    for (const [client, text] of texts) send(client, text)
  }

  const tell = (event: Followed, texts: Map<Client, string>): void => {
    const browsed = event.read()
    const book = books.get(bookOf(browsed))
    if (!book) return
    const data = JSON.stringify(toCloudEvent(browsed))
    const sharedId = lazy(() => idOf(browsed, event.offsets))
    for (const client of book) {
      // While it caught up it may have got ahead of the follower.
      if (!client.isLive || event.offset < (client.offsets[event.place] ?? 0)) continue
      if (!client.wants(event.type)) continue
      const isNoFurther = covers(event.offsets, client.offsets)
      client.offsets = isNoFurther ? event.offsets : furthest(client.offsets, event.offsets)
      const id = isNoFurther ? sharedId() : idOf(client, client.offsets)
      texts.set(client, `${texts.get(client) ?? ''}id: ${id}\ndata: ${data}\n\n`)
    }
  }

  /** Reads on for one client until it is where the follower is, and from that very moment the follower feeds it. */
  const catchUp = async (client: Client): Promise<void> => {
    await following?.ready
    while (!client.response.destroyed && !closing.signal.aborted) {
      const here = follower.offsets()
      if (here !== undefined && covers(client.offsets, here)) {
        client.isLive = true
        return
      }
      const { events, offsets } = await follower.page(client.offsets)
      for (let from = 0; from < events.length; from += CATCH_UP_EVENTS) {
        send(client, textOf(client, events.slice(from, from + CATCH_UP_EVENTS)))
        if (client.response.writableNeedDrain && !(await hasDrained(client.response))) client.response.destroy()
      }
      client.offsets = offsets
    }
  }

  const hasDrained = async (response: ServerResponse): Promise<boolean> => {
    const waiting = new AbortController()
    const { signal } = waiting
    // What loses the race is let go of, or each wait would leave its listeners behind.
    const drained = once(response, 'drain', { signal }).then(
      () => true,
      () => false,
    )
    const closed = once(response, 'close', { signal }).then(
      () => false,
      () => false,
    )
    const late = clock.sleep(DRAIN_MS, AbortSignal.any([signal, closing.signal])).then(() => false)
    const first = await Promise.race([drained, closed, late])
    waiting.abort()
    return first
  }

  const textOf = (client: Client, events: readonly Followed[]): string => {
    let text = ''
    for (const event of events) {
      if (!client.wants(event.type)) continue
      const browsed = event.read()
      if (bookOf(browsed) !== bookOf(client)) continue
      text += `id: ${idOf(client, event.offsets)}\ndata: ${JSON.stringify(toCloudEvent(browsed))}\n\n`
    }
    return text
  }

  const beat = async (): Promise<void> => {
    while (books.size > 0 && !closing.signal.aborted) {
      await clock.sleep(HEARTBEAT_MS, closing.signal)
      for (const client of [...books.values()].flatMap((book) => [...book])) heartbeat(client)
    }
    beating = undefined
  }

  /** Carries the place as well: whoever waits long for a rare event need not read all that went by again. */
  const heartbeat = (client: Client): void => {
    const here = follower.offsets()
    if (!client.isKeyValid()) {
      client.response.end()
    } else if (!client.isLive || here === undefined) {
      send(client, ': still here\n\n')
    } else {
      client.offsets = furthest(client.offsets, here)
      send(client, `: still here\nid: ${idOf(client, client.offsets)}\n\n`)
    }
  }

  return {
    /**
     * Takes the response over, and holds it open until the client goes, reads too slowly, or the process stops.
     * @throws Refusal `streams_too_many`, with nothing written yet.
     */
    open(listening: Listening, response: ServerResponse, headers: OutgoingHttpHeaders): void {
      const client: Client = { ...listening, response, offsets: listening.from, isLive: false }
      add(client)
      response.on('close', () => remove(client))
      response.writeHead(200, headers)
      send(client, `retry: ${RETRY_MS}\nid: ${idOf(client, client.offsets)}\n\n`)
      if (closing.signal.aborted) response.end()
      catchUp(client).catch(() => response.destroy())
    },
    count: () => [...perKey.values()].reduce((sum, open) => sum + open, 0),
    /** Ends every stream; the clients come back to whoever answers then. One that reads nothing is cut off. */
    async close(): Promise<void> {
      closing.abort()
      const clients = [...books.values()].flatMap((book) => [...book])
      const late = new AbortController()
      const ended = clients.map((client) => {
        const gone = once(client.response, 'close', { signal: late.signal }).catch(() => client.response.destroy())
        send(client, `retry: ${RETRY_MS}\n\n`)
        client.response.end()
        return gone
      })
      await beating
      const waiting = new AbortController()
      await Promise.race([Promise.all(ended), clock.sleep(LAST_WORD_MS, waiting.signal)])
      waiting.abort()
      late.abort()
    },
  }
}

function send({ response }: Client, text: string): void {
  if (text === '' || response.writableEnded || response.destroyed) return
  // What waits from before counts, not what is to be sent: a burst alone cuts nobody off.
  if (response.writableLength > BUFFER_BYTES_MAX) response.destroy()
  else response.write(text)
}

function bookOf({ tenant, mode }: { readonly tenant: string; readonly mode: string }): string {
  return `${tenant}/${mode}`
}

function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
