import { createHash } from 'node:crypto'
import { invariant } from '#kernel/invariant'
import { seededRandom } from '#kernel/random'

/** What a client decides by: the same seed and name, the same choices in the same order. */
export type Chance = {
  /** A whole number from 0 up to but without the bound. */
  below(bound: number): number
  isOnce(inSoMany: number): boolean
  of<Item>(items: readonly Item[]): Item
}

export function chanceOf(seed: string, name: string): Chance {
  const random = seededRandom(createHash('sha256').update(`${seed}\n${name}`).digest().readBigUInt64LE())
  const below = (bound: number): number => Math.floor(random.unit() * bound)
  return {
    below,
    isOnce: (inSoMany) => below(inSoMany) === 0,
    of: (items) => {
      const item = items[below(items.length)]
      invariant(item !== undefined, 'there is something to choose from')
      return item
    },
  }
}
