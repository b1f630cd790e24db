import { hash } from 'node:crypto'
import { isObject, textAt } from '#gateways/stripe'

/** What a receiver of webhooks counted by itself: it knows nothing of the platform but what it was sent. */
export type Tally = {
  accepted(sequence: number, body: string): void
  failed(): void
  forged(): void
  counts(): TallyCounts
  /** Sequences from 1 to `last` that were never accepted. */
  missing(last: number): number[]
  highest(): number
  /** Ids of the events told of each payment or payout, in the order in which they were first accepted. */
  told(): ReadonlyMap<string, readonly string[]>
}

export type TallyCounts = {
  /** Different messages. */
  readonly different: number
  /** Accepted once more. */
  readonly repeated: number
  /** The same sequence with another body. */
  readonly changed: number
  /** Answered with an error, on purpose. */
  readonly failed: number
  /** Signed by somebody else, or not at all. */
  readonly forged: number
}

export function openTally(): Tally {
  const bodies = new Map<number, string>()
  const told = new Map<string, string[]>()
  const count = { repeated: 0, changed: 0, failed: 0, forged: 0 }
  let highest = 0

  return {
    accepted(sequence, body) {
      const digest = hash('sha1', body, 'base64')
      const known = bodies.get(sequence)
      if (known !== undefined) {
        if (known === digest) count.repeated += 1
        else count.changed += 1
        return
      }
      bodies.set(sequence, digest)
      highest = Math.max(highest, sequence)
      const { id, subject } = messageIn(body)
      const events = told.get(subject) ?? []
      events.push(id)
      told.set(subject, events)
    },
    failed() {
      count.failed += 1
    },
    forged() {
      count.forged += 1
    },
    counts: () => ({ different: bodies.size, ...count }),
    missing: (last) =>
      Array.from({ length: last }, (_, place) => place + 1).filter((sequence) => !bodies.has(sequence)),
    highest: () => highest,
    told: () => told,
  }
}

function messageIn(body: string): { id: string; subject: string } {
  const message: unknown = JSON.parse(body)
  if (!isObject(message)) return { id: '', subject: '' }
  return { id: textAt(message, 'id') ?? '', subject: textAt(message, 'subject') ?? '' }
}
