import type { Call } from './command.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Resolves with the first signal that asks us to stop. The second ends the process at once. */
export function stopSignal(call: Pick<Call, 'warn'>): Promise<string> {
  return new Promise((resolve) => {
    let asked = false
    const hear = (signal: string): void => {
      if (asked) {
        call.warn('Stopped at once. The next start takes the database over and goes on where this one was.')
        process.exit(130)
      }
      asked = true
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
