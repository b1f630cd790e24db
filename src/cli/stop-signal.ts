import { systemClock } from '#kernel/clock'
import type { Call } from './command.ts'

/** A signal to the whole group reaches us twice, once through the launcher: that is one wish, not two. */
const ECHO_MS = 1_000

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Resolves with the first signal that asks us to stop. The second ends the process at once. */
export function stopSignal(call: Pick<Call, 'warn'>): Promise<string> {
  return new Promise((resolve) => {
    let askedAtMs: number | undefined
    const hear = (signal: string): void => {
      const nowMs = systemClock.monotonicMs()
      if (askedAtMs !== undefined && nowMs - askedAtMs < ECHO_MS) return
      if (askedAtMs !== undefined) {
        call.warn('Stopped at once. The next start takes the database over and goes on where this one was.')
        process.exit(130)
      }
      askedAtMs = nowMs
      resolve(signal === 'SIGINT' ? 'Ctrl-C' : signal)
    }
    for (const signal of signals) process.on(signal, hear)
  })
}

/** The same as a signal for whoever loops. */
export function stopRequest(call: Pick<Call, 'warn'>): AbortSignal {
  const stopping = new AbortController()
  void stopSignal(call).then(() => stopping.abort())
  return stopping.signal
}
