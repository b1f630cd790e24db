/** Partitions of every topic, fixed at creation; all topics have the same number, so one key is one partition number. */
export const PARTITIONS = 8

const M = 0x5bd1e995

/** The partition of a key: murmur2 as Kafka's default partitioner has it, so any Kafka client agrees. */
export function partitionOf(key: string, partitions = PARTITIONS): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions
}

function murmur2(data: Buffer): number {
  let h = 0x9747b28c ^ data.length
  let at = 0
  for (; at + 4 <= data.length; at += 4) {
    let k = Math.imul(data.readInt32LE(at), M)
    k ^= k >>> 24
    h = Math.imul(h, M) ^ Math.imul(k, M)
  }
  const rest = data.length - at
  if (rest >= 3) h ^= (data[at + 2] ?? 0) << 16
  if (rest >= 2) h ^= (data[at + 1] ?? 0) << 8
  if (rest >= 1) h = Math.imul(h ^ (data[at] ?? 0), M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return h ^ (h >>> 15)
}
