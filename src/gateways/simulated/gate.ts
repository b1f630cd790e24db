/** Runs work, so much of it at once; the rest waits its turn, first come first served. */
export type Gate = <Result>(work: () => Promise<Result>) => Promise<Result>

export function createGate(atOnceMax: number): Gate {
  const waiting: (() => void)[] = []
  let free = atOnceMax
  return async (work) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => void waiting.push(resolve))
    try {
      return await work()
    } finally {
      // The place is handed on, not given back: whoever comes now must not overtake.
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}
