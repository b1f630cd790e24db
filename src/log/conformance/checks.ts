import assert from 'node:assert/strict'
import { until } from '#harness/until'
import type { LogUnderTest, Seen } from './engine.ts'

/** Waits until the group has passed all there is, then returns what it has seen. */
export async function settled(log: LogUnderTest, group: string, limitMs?: number): Promise<Seen[]> {
  await until(`${group} has passed everything`, async () => (await log.lag(group)) === 0, limitMs)
  return log.seen(group)
}

/** Every event once, none twice, none missing. */
export function assertOnce(seen: readonly Seen[], expected: Iterable<string>): void {
  const ids = seen.map(({ id }) => id)
  const wanted = new Set(expected)
  const got = new Set(ids)
  assert.equal(ids.length - got.size, 0, `${ids.length - got.size} events took effect more than once`)
  assert.deepEqual([...wanted.difference(got)].slice(0, 5), [], 'these never took effect')
  assert.deepEqual([...got.difference(wanted)].slice(0, 5), [], 'nobody appended these')
}

/** Within each key, `n` counts up from the first to the last. */
export function assertOrderPerKey(seen: readonly Seen[]): void {
  for (const [key, events] of Map.groupBy(seen, (event) => event.key)) {
    const order = events.map(({ data }) => data.n)
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      `key ${key} is out of order`,
    )
  }
}

/** Within each partition of each topic, every offset once, from 0 on, in order. */
export function assertGapFree(seen: readonly Seen[]): void {
  for (const [name, events] of Map.groupBy(seen, ({ topic, partition }) => `${topic}/${partition}`)) {
    const offsets = events.map(({ offset }) => offset)
    assert.deepEqual(
      offsets,
      offsets.map((_, index) => index),
      `${name} has gaps or repetitions`,
    )
  }
}
