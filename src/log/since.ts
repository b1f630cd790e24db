import type { Database } from '#kernel/database'
import { isAfter, segmentsSince } from './archive/sql.ts'
import { headsOf } from './browse.ts'
import type { Stretch } from './history.ts'
import { placeOf } from './offsets.ts'
import { PARTITIONS } from './partitioner.ts'

/**
 * All of these topics since an instant, up to where they end now. It begins at most a segment too early: of what it reads,
 * the time is to be looked at.
 */
export async function stretchSince(database: Database, topics: readonly string[], since: Date): Promise<Stretch> {
  const until = topics.flatMap(() => Array.from({ length: PARTITIONS }, () => 0))
  for (const { topic, partition, next_offset } of await headsOf(database, topics)) {
    until[placeOf(topics, topic, partition)] = Number(next_offset)
  }
  const low = until.map(() => 0)
  const high = [...until]
  for (const { topic, partition, first_offset, end_offset } of await segmentsSince(database, topics, since)) {
    const place = placeOf(topics, topic, partition)
    low[place] = Number(first_offset ?? end_offset)
    if (first_offset !== null) high[place] = low[place]
  }
  await halve(database, { topics, since, low, high })
  return { topics, from: low, until }
}

type Search = { topics: readonly string[]; since: Date; low: number[]; high: number[] }

/** Times grow with offsets, but for steps of the clock: halving finds the first that is late enough, of all partitions at once. */
async function halve(database: Database, { topics, since, low, high }: Search): Promise<void> {
  while (true) {
    const open = [...low.keys()].filter((place) => (low[place] ?? 0) < (high[place] ?? 0))
    if (open.length === 0) return
    const asked = open.map((place) => ({
      topic: topics[Math.floor(place / PARTITIONS)] ?? '',
      partition: place % PARTITIONS,
      offset: Math.floor(((low[place] ?? 0) + (high[place] ?? 0)) / 2),
    }))
    const answers = await isAfter(database, asked, since)
    for (const [at, place] of open.entries()) {
      const middle = asked[at]?.offset ?? 0
      if (answers[at] === false) low[place] = middle + 1
      else high[place] = middle
    }
  }
}
