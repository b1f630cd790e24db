import { systemClock } from '#kernel/clock'
import { StartFailure } from '#kernel/postgres/start'
import type { Call } from './command.ts'

/** A signal to the whole group reaches us twice, once through the launcher: that is one wish, not two. */
const ECHO_MS = 1_000

const GOES_ON = 'The data stays: the next start goes on where this one was.'

/** What a person at a terminal is told of SIGINT. */
export const CTRL_C = 'Ctrl-C'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export type Stopping = {
  /** Resolves with the first signal that asks us to stop. The second ends this process at once. */
  readonly asked: Promise<string>
  /**
   * Waits for work that a signal must not tear apart. What fails after a signal failed because of it: Ctrl-C reaches
   * also what we have started.
   */
  carry<T>(work: Promise<T>): Promise<T>
}

/** `stays` is what to say at the second signal of what is left. */
export function stopSignal(call: Pick<Call, 'warn'>, stays = GOES_ON): Stopping {
  const asked = Promise.withResolvers<string>()
  let askedAtMs: number | undefined
  const hear = (signal: string): void => {
    const nowMs = systemClock.monotonicMs()
    if (askedAtMs === undefined) {
      askedAtMs = nowMs
      asked.resolve(signal === 'SIGINT' ? CTRL_C : signal)
    } else if (nowMs - askedAtMs >= ECHO_MS) {
      call.warn(`Stopped at once. ${stays}`)
      process.exit(130)
    }
  }
  for (const signal of signals) process.on(signal, hear)
  return {
    asked: asked.promise,
    async carry(work) {
      try {
        return await work
      } catch (error) {
        throw askedAtMs === undefined ? error : new StartFailure('Stopped before it was ready.', { cause: error })
      }
    },
  }
}

/** The same as a signal for whoever loops. */
export function stopRequest(call: Pick<Call, 'warn'>, stays?: string): AbortSignal {
  const stopping = new AbortController()
  void stopSignal(call, stays).asked.then(() => stopping.abort())
  return stopping.signal
}
