/** Wakes loops of this process when something they wait for has been committed. Losing a wake-up costs a poll, no more. */
export type Wakeups = {
  /** Wakes all that wait for any of these names. */
  wake(names: Iterable<string>): void
  /** An AbortSignal-like ticket: `signal` aborts at the next wake of one of the names. */
  ticket(names: readonly string[]): Ticket
  /** Hears every local wake; for telling other processes. */
  onWake(heard: (names: readonly string[]) => void): void
}

export type Ticket = { readonly signal: AbortSignal; release(): void }

export function createWakeups(): Wakeups {
  const waiting = new Map<string, Set<AbortController>>()
  const hearers: ((names: readonly string[]) => void)[] = []
  return {
    wake(names) {
      const list = [...names]
      for (const name of list) for (const controller of waiting.get(name) ?? []) controller.abort()
      for (const heard of hearers) heard(list)
    },
    ticket(names) {
      const controller = new AbortController()
      const sets = names.map((name) => {
        const set = waiting.get(name) ?? new Set()
        waiting.set(name, set)
        return set.add(controller)
      })
      return {
        signal: controller.signal,
        release: () => {
          for (const set of sets) set.delete(controller)
        },
      }
    },
    onWake: (heard) => void hearers.push(heard),
  }
}
