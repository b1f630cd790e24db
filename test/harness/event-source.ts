import { request } from 'node:http'
import { until } from './until.ts'

type Ending = { after(work: () => Promise<void> | void): void }

export type SentEvent = { readonly id: string; readonly data: { readonly [name: string]: unknown } }

/** A client of server-sent events that keeps what it was sent; closed when the test ends. */
export type EventSource = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly events: readonly SentEvent[]
  /** The last id that came, with an event or alone. */
  lastId(): string
  isOpen(): boolean
  /** Stops reading, so that what is sent piles up. */
  pause(): void
  close(): void
  waitFor(what: string, condition: () => boolean): Promise<void>
}

export function openEventSource(t: Ending, url: string, headers: Record<string, string>): Promise<EventSource> {
  return new Promise((resolve, reject) => {
    const call = request(url, { headers: { accept: 'text/event-stream', ...headers }, agent: false })
    call.on('error', reject)
    call.on('response', (response) => {
      const events: SentEvent[] = []
      let [rest, lastId, isOpen] = ['', '', true]
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        const blocks = `${rest}${text}`.split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) read(block)
      })
      response.on('error', () => {})
      response.on('close', () => {
        isOpen = false
      })
      const read = (block: string): void => {
        const field = (name: string): string | undefined =>
          block
            .split('\n')
            .find((line) => line.startsWith(`${name}: `))
            ?.slice(name.length + 2)
        lastId = field('id') ?? lastId
        const data = field('data')
        if (data !== undefined) events.push({ id: lastId, data: JSON.parse(data) })
      }
      const close = (): void => void call.destroy()
      t.after(close)
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        events,
        lastId: () => lastId,
        isOpen: () => isOpen,
        pause: () => void response.pause(),
        close,
        waitFor: (what, condition) => until(what, condition),
      })
    })
    call.end()
  })
}
