import assert from 'node:assert/strict'
import { systemClock } from '#kernel/clock'
import { seededRandom } from '#kernel/random'
import { assertGapFree, assertOnce, assertOrderPerKey, settled } from './checks.ts'
import type { Claim } from './engine.ts'
import { ANSWER, answered, ask, asked, hinted, toyModule, WATCH } from './toy.ts'

const modules = [toyModule()]

/** Writers follow one key each over two topics, while two processes share the partitions. */
const orderOverTopics: Claim = {
  name: 'the events of a key are seen in the order of their appends, over several topics',
  async holds(t, engine) {
    const log = await engine.open(t)
    await log.start('one', { modules })
    await log.start('two', { modules })
    const ids: string[] = []
    const write = async (key: string): Promise<void> => {
      for (let n = 0; n < 20; n++) {
        const event = ask(key, { n, say: 'hush' }, n % 3 === 0 ? hinted : asked)
        ids.push(event.id)
        await log.append([event])
      }
    }
    await Promise.all(Array.from({ length: 40 }, (_, index) => write(`key ${index}`)))
    const seen = await settled(log, WATCH)
    assertOnce(seen, ids)
    assertOrderPerKey(seen)
  },
}

/**
 * A reader that goes by offsets or sequence numbers skips whatever commits late. Six appenders dawdle for a random
 * time between append and commit, while a reader reads all along.
 */
const slowCommitters: Claim = {
  name: 'slow committers hide nothing: readers see every offset once, in order',
  async holds(t, engine) {
    const log = await engine.open(t)
    await log.start('one', { modules })
    const ids: string[] = []
    const append = async (seed: number): Promise<void> => {
      const random = seededRandom(seed)
      for (let n = 0; n < 25; n++) {
        const count = 1 + Math.floor(random.unit() * 3)
        const events = Array.from({ length: count }, () =>
          ask(`key ${Math.floor(random.unit() * 50)}`, { n, say: 'hush' }, random.unit() < 0.5 ? asked : hinted),
        )
        ids.push(...events.map(({ id }) => id))
        await log.appendSlowly(events, () => systemClock.sleep(random.unit() * 12))
      }
    }
    await Promise.all([1, 2, 3, 4, 5, 6].map(append))
    const seen = await settled(log, WATCH)
    assertOnce(seen, ids)
    assertGapFree(seen)
  },
}

const manyKeys: Claim = {
  name: 'ten thousand keys flow through two processes, each event once',
  async holds(t, engine) {
    const log = await engine.open(t)
    await log.start('one', { modules })
    await log.start('two', { modules })
    const events = Array.from({ length: 10_000 }, (_, n) => ask(`key ${n}`, { n }))
    const batches = Array.from({ length: 40 }, (_, index) => events.slice(index * 250, (index + 1) * 250))
    await Promise.all(batches.map((batch) => log.append(batch)))
    assertOnce(
      await settled(log, ANSWER),
      events.map(({ id }) => id),
    )
    const answers = (await settled(log, WATCH)).filter(({ type }) => type === answered.type)
    assert.equal(new Set(answers.map(({ key }) => key)).size, 10_000)
    assert.equal(answers.length, 10_000)
  },
}

/** Forty keys answer to five others: what one key says to another arrives in the order in which it was said. */
const rekeying: Claim = {
  name: 'an event that changes key is a hop of its own, and keeps the order between its two keys',
  async holds(t, engine) {
    const log = await engine.open(t)
    await log.start('one', { modules })
    await log.start('two', { modules })
    const questions = Array.from({ length: 400 }, (_, n) => ask(`from ${n % 40}`, { n, to: `to ${n % 5}` }))
    for (let at = 0; at < questions.length; at += 40) await log.append(questions.slice(at, at + 40))
    await settled(log, ANSWER)
    const answers = (await settled(log, WATCH)).filter(({ type }) => type === answered.type)
    assert.deepEqual(
      answers.map(({ causationId }) => causationId).toSorted(),
      questions.map(({ id }) => id).toSorted(),
      'one answer to each question',
    )
    const keyOf = new Map(questions.map(({ id, key }) => [id, key]))
    for (const [hop, events] of Map.groupBy(
      answers,
      (event) => `${keyOf.get(event.causationId ?? '')} → ${event.key}`,
    )) {
      const order = events.map(({ data }) => data.n)
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
        hop,
      )
    }
    assert.ok(answers.every(({ key, data }) => key === `to ${data.n % 5}`))
  },
}

export const orderClaims: readonly Claim[] = [orderOverTopics, slowCommitters, manyKeys, rekeying]
