import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Random } from '#kernel/random'

/** The two that should say the same: what is on the log, and what a table has of it. */
export type Side = 'log' | 'table'

/** Something that is not the same on both sides. */
export type Difference = {
  /** What it is about, as it was given. */
  readonly subject: readonly string[]
  /** Where it stands on a side, and how often, or how much of it. */
  readonly found: readonly Found[]
}

type Found = { readonly side: Side; readonly content: string; readonly place: string; readonly weight: bigint }
type Remembered = { readonly subject: readonly string[]; left: bigint; readonly found: Found[] }

/** Sums that are kept. Of a million things about sixty fall into each: so many are remembered when it is looked into. */
const SUMS = 16_384
const LOOKED_INTO_MAX = 16

/**
 * Compares two multitudes in any order, in memory that does not grow with them. Each thing is counted under a number that
 * nobody knows beforehand; what is the same on both sides cancels out of the sums, and a sum that is left at zero by
 * anything else is as likely as guessing 128 bits. Which things differ shows at a second look, into the sums that do.
 */
export class Tally {
  readonly #key: string
  readonly #sums: bigint[] = Array.from({ length: SUMS }, () => 0n)
  readonly #lookedInto: ReadonlySet<number> | undefined
  readonly #remembered = new Map<string, Remembered>()

  constructor(random: Random, lookedInto?: ReadonlySet<number>) {
    this.#key = random.bytes(32).toString('hex')
    this.#lookedInto = lookedInto
  }

  /** Counts a thing: `content` is all that is to be the same of it, `place` where it stands. */
  add(side: Side, subject: readonly string[], content: string, place: () => string, weight = 1n): void {
    const about = JSON.stringify(subject)
    const sum = crc32(about) % SUMS
    if (this.#lookedInto && !this.#lookedInto.has(sum)) return
    const signed = side === 'log' ? weight : -weight
    this.#sums[sum] = (this.#sums[sum] ?? 0n) + signed * this.#numberOf(`${about}${content}`)
    if (this.#lookedInto)
      this.#remember(`${about}${content}`, subject, signed, { side, content, place: place(), weight })
  }

  differs(): boolean {
    return this.#sums.some((sum) => sum !== 0n)
  }

  /** For a second look, at what differs. */
  closer(random: Random): Tally {
    const differing = this.#sums.flatMap((sum, place) => (sum === 0n ? [] : [place]))
    return new Tally(random, new Set(differing.slice(0, LOOKED_INTO_MAX)))
  }

  /** What differs, by what it is about, in the order in which it came. */
  differences(): Difference[] {
    const differing = [...this.#remembered.values()].filter(({ left }) => left !== 0n)
    return [...Map.groupBy(differing, ({ subject }) => JSON.stringify(subject)).values()].map((things) => ({
      subject: things[0]?.subject ?? [],
      found: things.flatMap(({ found }) => found),
    }))
  }

  #numberOf(text: string): bigint {
    return BigInt(`0x${hash('sha256', this.#key + text, 'hex').slice(0, 32)}`)
  }

  #remember(name: string, subject: readonly string[], signed: bigint, found: Found): void {
    const about = this.#remembered.get(name) ?? { subject, left: 0n, found: [] }
    this.#remembered.set(name, about)
    about.left += signed
    const at = about.found.findIndex(({ side }) => side === found.side)
    const known = about.found[at]
    if (known) about.found[at] = { ...known, weight: known.weight + found.weight }
    else about.found.push(found)
  }
}
