import { Agent, buildConnector, type Dispatcher } from 'undici'
import type { Clock } from './clock.ts'
import { type AddressGuard, AddressRefused } from './ssrf.ts'

export type HttpRequest = {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** For the whole exchange: connecting, sending, waiting and reading. */
  readonly timeoutMs: number
  /** Of the body only so many bytes are kept; the rest is read and dropped. Absent: all of it. */
  readonly keepBytes?: number
  /** How the body of the answer becomes text: `latin1` keeps every byte as a character of its code. UTF-8 by default. */
  readonly decoding?: 'utf8' | 'latin1'
}

/** Header names are in lower case; a repeated header is joined by commas. */
export type HttpResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** One exchange over HTTP, and the seam of the simulation. Rejects with a FetchFailure and nothing else. */
export type HttpFetch = (request: HttpRequest) => Promise<HttpResponse>

/**
 * No whole answer came. Phase `connect`: not a byte of the request was sent, so nothing happened there.
 * Phase `after_send`: the request may have arrived and may have been acted on.
 */
export class FetchFailure extends Error {
  override name = 'FetchFailure'
  readonly phase: 'connect' | 'after_send'
  readonly reason: 'timeout' | 'connection' | 'too_large' | 'address_refused'

  constructor(phase: FetchFailure['phase'], reason: FetchFailure['reason'], cause?: unknown) {
    super(`no answer: ${reason} in phase ${phase}`, { cause })
    this.phase = phase
    this.reason = reason
  }
}

/** A dead gateway must not take every socket of the process with it. */
const connectionsPerOriginMax = 64
/** No answer we read is near this; past it somebody is filling our memory. */
const responseBytesMax = 4 * 1024 * 1024

export type SystemFetch = { readonly fetch: HttpFetch; close(): Promise<void> }

/**
 * The real thing: kept-alive connections for each origin, no redirects, no retries. With a guard, for addresses that
 * somebody else has named: it is asked at every connect, about the address that is connected to.
 */
export function systemFetch(clock: Clock, guard?: AddressGuard): SystemFetch {
  // Timeouts are of the whole exchange and ours, so that one clock decides them.
  const agent = new Agent({
    connections: connectionsPerOriginMax,
    headersTimeout: 0,
    bodyTimeout: 0,
    connectTimeout: 0,
    ...(guard ? { connect: guardedConnector(guard) } : {}),
  })
  return {
    fetch: (request) => exchange(agent, clock, request),
    // What still hangs at the end would hang for ever.
    close: () => agent.destroy(),
  }
}

function guardedConnector(guard: AddressGuard): buildConnector.connector {
  const connect = buildConnector({ timeout: 0, lookup: guard.lookup as never, autoSelectFamily: true })
  return (options, done) => {
    // An address needs no lookup, so it would be connected to unseen.
    if (guard.refuses(options.hostname)) done(new AddressRefused(options.hostname), null)
    else connect(options, done)
  }
}

function exchange(agent: Agent, clock: Clock, request: HttpRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const finished = new AbortController()
    const handler = new Exchange(request, (outcome) => {
      // With a reason of ours: making the default one takes 10 µs.
      finished.abort('over')
      if (outcome instanceof FetchFailure) reject(outcome)
      else resolve(outcome)
    })
    void clock.sleep(request.timeoutMs, finished.signal).then(() => {
      if (!finished.signal.aborted) handler.fail('timeout')
    })
    try {
      const { origin, pathname, search } = new URL(request.url)
      const { method, headers, body } = request
      agent.dispatch({ origin, path: `${pathname}${search}`, method, headers, body: body ?? null }, handler)
    } catch (error) {
      handler.fail('connection', error)
    }
  })
}

/** Follows one request through undici. It settles once; what comes later is ignored. */
class Exchange implements Dispatcher.DispatchHandler {
  #controller: Dispatcher.DispatchController | undefined
  #settled = false
  #status = 0
  #headers: Record<string, string> = {}
  #chunks: Buffer[] = []
  #bytes = 0
  readonly #keepBytes: number
  readonly #decoding: 'utf8' | 'latin1'
  readonly #settle: (outcome: HttpResponse | FetchFailure) => void

  constructor(
    { keepBytes = Number.POSITIVE_INFINITY, decoding = 'utf8' }: Pick<HttpRequest, 'keepBytes' | 'decoding'>,
    settle: (outcome: HttpResponse | FetchFailure) => void,
  ) {
    this.#keepBytes = keepBytes
    this.#decoding = decoding
    this.#settle = settle
  }

  fail(reason: FetchFailure['reason'], cause?: unknown): void {
    if (this.#settled) return
    const failure = new FetchFailure(this.#controller === undefined ? 'connect' : 'after_send', reason, cause)
    this.#end(failure)
    this.#controller?.abort(failure)
  }

  /** Called with a connection in hand, just before the first byte: whoever gave up before sends nothing. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settled) controller.abort(new FetchFailure('connect', 'timeout'))
    else this.#controller = controller
  }

  onResponseStart(_: unknown, status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    this.#status = status
    for (const [name, value] of Object.entries(headers)) this.#headers[name] = String(value)
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    const room = this.#keepBytes - this.#bytes
    this.#bytes += chunk.length
    if (this.#bytes > responseBytesMax) this.fail('too_large')
    else if (room > 0) this.#chunks.push(chunk.subarray(0, room))
  }

  onResponseEnd(): void {
    const body = Buffer.concat(this.#chunks).toString(this.#decoding)
    this.#end({ status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_: unknown, error: Error): void {
    this.fail(error instanceof AddressRefused ? 'address_refused' : 'connection', error)
  }

  #end(outcome: HttpResponse | FetchFailure): void {
    if (this.#settled) return
    this.#settled = true
    this.#settle(outcome)
  }
}
