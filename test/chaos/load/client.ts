import { Agent } from 'undici'
import { systemClock } from '#kernel/clock'

/** One answer, after as many attempts as it took. */
export type Answered = { readonly status: number; readonly body: string; readonly attempts: number }

export type Asking = {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Made anew for each attempt, as a signature has to be. */
  readonly sign?: () => Readonly<Record<string, string>>
  /** Asked again after a 4xx too: a gateway does not look at why its webhook was refused. */
  readonly isStubborn?: boolean
}

/** Asks the processes in turn, and again until one of them answers: what a merchant's client does. */
export type Client = {
  /** Rejects with `GaveUp` only, once giving up is asked for. A 4xx is an answer. */
  ask(asking: Asking): Promise<Answered>
  /** Requests under way at a process. */
  underWay(process: number): number
  /** Attempts by what they ended with: a status, or the kind of failure. */
  outcomes(): ReadonlyMap<string, number>
  giveUp(): void
  close(): Promise<void>
}

export class GaveUp extends Error {
  override name = 'GaveUp'
}

const TIMEOUT_MS = 15_000
const PAUSE_MS = 100
const PAUSE_MS_MAX = 1_000

export function openClient(urls: readonly string[]): Client {
  const agent = new Agent({ connections: 128, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  const flying = urls.map(() => 0)
  const outcomes = new Map<string, number>()
  const givingUp = new AbortController()
  let turn = 0

  const attempt = async (process: number, { method, path, headers, body, sign }: Asking) => {
    flying[process] = (flying[process] ?? 0) + 1
    try {
      const response = await agent.request({
        origin: urls[process] ?? '',
        method,
        path,
        headers: { ...headers, ...sign?.() },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body }),
      })
      return { status: response.statusCode, body: await response.body.text() }
    } finally {
      flying[process] = (flying[process] ?? 0) - 1
    }
  }
  const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)

  return {
    async ask(asking) {
      for (let attempts = 1; ; attempts++) {
        if (givingUp.signal.aborted) throw new GaveUp()
        const process = turn++ % urls.length
        const answer = await attempt(process, asking).catch(nameOf)
        if (typeof answer === 'string') count(answer)
        else {
          count(String(answer.status))
          if (answer.status < 300 || (isFinal(answer.status) && !asking.isStubborn)) return { ...answer, attempts }
        }
        await systemClock.sleep(Math.min(PAUSE_MS * attempts, PAUSE_MS_MAX), givingUp.signal)
      }
    },
    underWay: (process) => flying[process] ?? 0,
    outcomes: () => outcomes,
    giveUp: () => givingUp.abort(),
    close: () => agent.destroy(),
  }
}

function isFinal(status: number): boolean {
  return status < 500 && status !== 429
}

function nameOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'failure'
}
