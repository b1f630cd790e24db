import { PARTITIONS } from './partitioner.ts'

/**
 * How far a reader of some topics is: the next offset of each of their partitions, topic by topic in the reader's
 * order. Offsets have no gaps and never come late, so whoever goes on from here misses nothing and sees nothing twice.
 */
export type Offsets = readonly number[]

export function placeOf(topics: readonly string[], topic: string, partition: number): number {
  return topics.indexOf(topic) * PARTITIONS + partition
}

/** Whether a reader that is at `here` has read all that one at `there` has. */
export function covers(here: Offsets, there: Offsets): boolean {
  for (let place = 0; place < there.length; place++) if ((here[place] ?? 0) < (there[place] ?? 0)) return false
  return true
}

/** Where a reader is that has read what both have. */
export function furthest(one: Offsets, other: Offsets): Offsets {
  return one.map((offset, place) => Math.max(offset, other[place] ?? 0))
}

/** Seven bits a byte, the lowest first (LEB128): three topics take 24 to 70 bytes. */
export function encodeOffsets(offsets: Offsets): Buffer {
  const bytes: number[] = []
  for (const offset of offsets) {
    let rest = offset
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
    bytes.push(rest)
  }
  return Buffer.from(bytes)
}

/** Topics that were added to the end of the list since are read from their beginning. */
export function decodeOffsets(bytes: Buffer, topics: number): Offsets {
  const offsets: number[] = []
  let [offset, weight] = [0, 1]
  for (const byte of bytes) {
    offset += (byte % 128) * weight
    weight *= 128
    if (byte < 128) {
      offsets.push(offset)
      offset = 0
      weight = 1
    }
  }
  return Array.from({ length: topics * PARTITIONS }, (_, place) => offsets[place] ?? 0)
}
