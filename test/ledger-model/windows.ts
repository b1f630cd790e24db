import type { Answer, Call } from './call.ts'

/** Something that was answered and left no trace on the log: it stands somewhere between two transactions, or within one. */
export type Unwritten = {
  readonly call: Call
  /** Places of its commands in the call, in their order: of linked ones all, else one. */
  readonly places: readonly number[]
  readonly dependsOn: readonly string[]
  /** Transactions that have been committed at least, and at most, when it was decided. */
  readonly first: number
  readonly last: number
}

export function answersOf({ call, places }: Pick<Unwritten, 'call' | 'places'>): Answer[] {
  return places.flatMap((place) => call.answers[place] ?? [])
}

type Write = { readonly batch: number; readonly askedAt: number; readonly answeredAt: number }

/**
 * Where something can stand by real time: behind what was answered before it was asked, and before what was asked after it
 * was answered. Only of what it depends on: of two transactions that have nothing in common, the one with the
 * earlier place on the log may well be committed later.
 */
export class RealTime {
  readonly #byAnswer = new Map<string, { at: number[]; latest: number[] }>()
  readonly #byAsking = new Map<string, { at: number[]; earliest: number[] }>()
  readonly #batches: number

  constructor(writes: ReadonlyMap<string, readonly Write[]>, batches: number) {
    this.#batches = batches
    for (const [name, of] of writes) {
      const answered = of.toSorted((a, b) => a.answeredAt - b.answeredAt)
      let latest = -1
      const latests = answered.map(({ batch }) => (latest = Math.max(latest, batch)))
      this.#byAnswer.set(name, { at: answered.map(({ answeredAt }) => answeredAt), latest: latests })
      const asked = of.toSorted((a, b) => b.askedAt - a.askedAt)
      let earliest = Number.POSITIVE_INFINITY
      const earliests = asked.map(({ batch }) => (earliest = Math.min(earliest, batch)))
      this.#byAsking.set(name, { at: asked.map(({ askedAt }) => -askedAt), earliest: earliests })
    }
  }

  windowOf(dependsOn: readonly string[], { askedAt, answeredAt }: Call): { first: number; last: number } {
    let first = 0
    let last = this.#batches
    for (const name of dependsOn) {
      const answered = this.#byAnswer.get(name)
      const before = answered ? answered.latest[countBelow(answered.at, askedAt) - 1] : undefined
      if (before !== undefined) first = Math.max(first, before + 1)
      const asked = this.#byAsking.get(name)
      const after = asked ? asked.earliest[countBelow(asked.at, -answeredAt) - 1] : undefined
      if (after !== undefined) last = Math.min(last, after)
    }
    return { first, last }
  }
}

/** How many of the numbers, which are in order, are below the limit. */
function countBelow(numbers: readonly number[], limit: number): number {
  let [low, high] = [0, numbers.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] ?? 0) < limit) low = middle + 1
    else high = middle
  }
  return low
}
